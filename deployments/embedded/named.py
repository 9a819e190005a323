"""The Prefect API that the user named already, found where Prefect looks for it but without importing Prefect."""

from __future__ import annotations

import os
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

from blocks.errors import PrefectUnavailable

_VARIABLE = "PREFECT_API_URL"
_PATIENCE = 15.0


def named_address() -> str | None:
    """The API's URL by environment, `.env`, project file or active profile, in Prefect's own order; None if nowhere."""
    return next((address for address in _candidates() if address), None)


def check(address: str) -> None:
    """Ask the named API for its health with Prefect's own client, which knows certificates, keys and passwords."""
    from prefect.client.orchestration import get_client  # noqa: PLC0415 - heavy, and reads the environment

    with get_client(httpx_settings={"timeout": _PATIENCE}, sync_client=True) as client:
        problem = client.api_healthcheck()
    if problem is not None:
        raise PrefectUnavailable(
            f"The Prefect API at {shown(address)} doesn't answer ({problem or type(problem).__name__})",
            f"It is named by {_VARIABLE} or by your Prefect profile: start it or correct the URL (it ends in /api), "
            f"or unset it (`unset {_VARIABLE}`, `prefect config unset {_VARIABLE}`) and a server is started for you",
        )


def shown(address: str) -> str:
    """The address as it may be shown: without user and password."""
    return re.sub("//[^/@]*@", "//", address)


def _candidates() -> Iterator[str | None]:
    yield os.environ.get(_VARIABLE)
    yield _of_this_process()
    yield _of_dotenv()
    yield _text(_table(Path("prefect.toml")), "api", "url")
    yield _text(_table(Path("pyproject.toml")), "tool", "prefect", "api", "url")
    yield _of_profile()


def _of_this_process() -> str | None:
    if "prefect" not in sys.modules:
        return None
    from prefect.settings import get_current_settings  # noqa: PLC0415 - only if it is there already

    return get_current_settings().api.url


def _of_dotenv() -> str | None:
    if not Path(".env").is_file():
        return None
    from dotenv import dotenv_values  # noqa: PLC0415 - seldom needed

    return dotenv_values(".env").get(_VARIABLE)


def _of_profile() -> str | None:
    table = _table(_profiles())
    name = os.environ.get("PREFECT_PROFILE") or _text(table, "active")
    return _text(table, "profiles", name, _VARIABLE) if name else None


def _profiles() -> Path:
    if path := os.environ.get("PREFECT_PROFILES_PATH"):
        return Path(path)
    home = Path(os.environ.get("PREFECT_HOME") or Path.home() / ".prefect").expanduser()
    return home / "profiles.toml" if (home / "profiles.toml").exists() else _shipped_profiles()


def _shipped_profiles() -> Path:
    """The profiles that Prefect brings along: `PREFECT_PROFILE=local` works without a file of one's own."""
    found = find_spec("prefect")
    return Path(found.origin if found and found.origin else "prefect").parent / "settings" / "profiles.toml"


def _table(path: Path) -> Mapping[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return {}


def _text(table: Mapping[str, object], *keys: str) -> str | None:
    value: object = table
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, str) else None
