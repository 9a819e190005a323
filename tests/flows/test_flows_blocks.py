"""Blocks on a real Prefect server: in its catalogue by themselves, saved and found by name, and told when they fail."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr, ValidationError

from blocks.catalog import Catalog
from blocks.configured import configured
from blocks.errors import CatalogUnavailable, InvalidInput, NotFound, PrefectUnavailable, ReforgeError, StoreRefused
from blocks.health import checks
from blocks.ports import Ports
from blocks.settings import Settings
from blocks.store import Credentials, open_store
from tests.servers.rclone import CREDENTIALS, rclone

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

pytestmark = pytest.mark.flow
_SECRET = "opensesame"  # noqa: S105 (what must never be seen)
_URL = "s3://images/reforge?endpoint=http://127.0.0.1:9"
_CATALOG = f"postgresql+psycopg://reforge:{_SECRET}@127.0.0.1:9/reforge"
_SLUGS = ("reforge-catalog", "reforge-store", "reforge-builder")
_DOCUMENT = Path(__file__).parents[2] / "docs" / "blocks.md"


@pytest.fixture(autouse=True)
def _environment(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert os.environ["REFORGE_HOME"] == str(home)
    for name in ("REFORGE_CATALOG_URL", "REFORGE_STORE_URL", "AWS_ACCESS_KEY_ID", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def client(api: str) -> Iterator[SyncPrefectClient]:
    """A client of the session's server."""
    from prefect.client.orchestration import get_client  # noqa: PLC0415 (Prefect is imported after its server is named)

    assert api
    with get_client(sync_client=True) as opened:
        yield opened


@pytest.fixture(scope="module")
def main(api: str) -> str:
    """The name of a catalog, a store and a builder, saved as code."""
    from blocks.collection import ReforgeBuilder, ReforgeCatalog, ReforgeStore  # noqa: PLC0415

    assert api
    ReforgeCatalog(url=SecretStr(_CATALOG)).save("main", overwrite=True)
    keys = {"access_key": SecretStr("access"), "secret_key": SecretStr(_SECRET)}
    ReforgeStore(url=_URL, **keys).save("main", overwrite=True)
    ReforgeBuilder(cache_gigabytes=3, pool_gigabytes=2).save("main", overwrite=True)
    return "main"


def _save_as_the_form_does(client: SyncPrefectClient, slug: str, name: str, **data: object) -> None:
    """Without our classes, as the UI saves: what the API takes is in the block."""
    from prefect.client.schemas.actions import BlockDocumentCreate  # noqa: PLC0415

    kind = client.read_block_type_by_slug(slug)
    schema = client.get_most_recent_block_schema_for_block_type(kind.id)
    assert schema is not None
    client.create_block_document(
        BlockDocumentCreate(name=name, data=data, block_type_id=kind.id, block_schema_id=schema.id)
    )


def test_the_types_are_in_the_catalogue_of_a_new_server(client: SyncPrefectClient) -> None:
    """Nobody registered them; each has a description, an example, and a title and help for each field."""
    secrets: dict[str, Any] = {}
    for slug in _SLUGS:
        kind = client.read_block_type_by_slug(slug)
        assert kind.name == slug.replace("-", " ").title()
        assert kind.description
        assert "from blocks.collection import" in (kind.code_example or "")
        assert kind.logo_url is None
        schema = client.get_most_recent_block_schema_for_block_type(kind.id)
        assert schema is not None
        assert schema.capabilities == ["check"]
        assert all(field["title"] and field["description"] for field in schema.fields["properties"].values())
        secrets[slug] = sorted(schema.fields["secret_fields"])
    assert secrets == {
        "reforge-catalog": ["url"],
        "reforge-store": ["access_key", "secret_key", "session_token"],
        "reforge-builder": [],
    }


def test_secrets_are_masked_and_their_key_is_not_in_the_database(
    main: str, client: SyncPrefectClient, home: Path
) -> None:
    """Whoever doesn't ask for them gets asterisks; the database alone can't be decrypted."""
    shown = [client.read_block_document_by_name(main, slug, include_secrets=False) for slug in _SLUGS]
    assert [shown[0].data["url"], shown[1].data["secret_key"]] == ["********", "********"]
    assert _SECRET not in repr([block.model_dump() for block in shown])
    with closing(sqlite3.connect(home / "prefect" / "prefect.db")) as database:
        assert database.execute("SELECT key FROM configuration WHERE key = 'ENCRYPTION_KEY'").fetchall() == []
        stored = database.execute("SELECT data FROM block_document").fetchall()
    assert stored
    assert _SECRET not in repr(stored)


def test_a_run_works_with_the_blocks_it_names(main: str, home: Path, caplog: pytest.LogCaptureFixture) -> None:
    """In a flow, in its tasks, beside a running event loop and in plain code; no secret in any log."""
    from prefect import flow, task  # noqa: PLC0415

    @task
    def step() -> Settings:
        return configured(main, main, main)

    @flow
    def story() -> tuple[Settings, Settings]:
        return configured(main, main, main), step()

    async def other() -> Settings:
        return configured(main, main, f"reforge-builder/{main}")

    with caplog.at_level(logging.DEBUG):
        plain = configured(main, main, main)
        assert (*story(), asyncio.run(other())) == (plain, plain, plain)
    assert (plain.home, plain.catalog(), plain.store()) == (home, _CATALOG, _URL)
    assert plain.store_keys() == Credentials(SecretStr("access"), SecretStr(_SECRET))
    assert (plain.cache_gigabytes, plain.pool_gigabytes) == (3, 2)
    assert _SECRET not in caplog.text
    assert _SECRET not in repr(plain)


def test_what_no_block_says_is_embedded(main: str, home: Path) -> None:
    """Only the named one of the three counts."""
    settings = configured(builder=main)
    assert settings == Settings(home=home, cache_gigabytes=3, pool_gigabytes=2)


def test_the_environment_overrides_a_block(main: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each field by its variable; the keys go with the URL, and those of the AWS variables come first."""
    monkeypatch.setenv("REFORGE_CATALOG_URL", "sqlite:////of/the/environment")
    monkeypatch.setenv("REFORGE_POOL_GIGABYTES", "7")
    settings = configured(main, main, main)
    assert settings.catalog() == "sqlite:////of/the/environment"
    assert (settings.cache_gigabytes, settings.pool_gigabytes) == (3, 7)
    assert settings.store_keys() is not None
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-the-environment")
    assert (configured(store=main).store(), configured(store=main).store_keys()) == (_URL, None)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("REFORGE_STORE_URL", tmp_path.as_uri())
    assert (configured(store=main).store(), configured(store=main).store_keys()) == (tmp_path.as_uri(), None)


def test_a_wrong_block_is_told(main: str, client: SyncPrefectClient) -> None:
    """Not there, of another type, no name at all, or with values that the form let through."""
    from blocks.collection import ReforgeBuilder  # noqa: PLC0415

    assert main
    ReforgeBuilder().save("large", overwrite=True)
    with pytest.raises(NotFound, match=r"no Reforge Builder block named 'small' \(there are: large, main\)\. Correct"):
        configured(builder="small")
    with pytest.raises(InvalidInput, match=r"'large' is a Reforge Builder, not a Reforge Store \(there are: main\)"):
        configured(store="large")
    with pytest.raises(InvalidInput, match="another type than Reforge Store"):
        configured(store="reforge-builder/main")
    for name in ("../main", "main?", "reforge-store/", "two words"):
        with pytest.raises(InvalidInput, match=re.escape(repr(name))):
            configured(store=name)
    _save_as_the_form_does(client, "reforge-builder", "negative", cache_gigabytes=-1)
    with pytest.raises(InvalidInput, match=r"Builder block 'negative' can't be used: cache_gigabytes: Input should be"):
        configured(builder="negative")
    _save_as_the_form_does(client, "reforge-store", "half", url=_URL, access_key="access", secret_key="")
    with pytest.raises(InvalidInput, match=r"Store block 'half' can't be used: .*only one of .*Correct it in Prefect"):
        configured(store="half")


def test_a_silent_prefect_is_told(main: str) -> None:
    """Where it was looked for, and what else can be done; its password isn't repeated."""
    from prefect.settings import PREFECT_API_URL, temporary_settings  # noqa: PLC0415

    with (
        temporary_settings({PREFECT_API_URL: f"http://user:{_SECRET}@127.0.0.1:9/api"}),
        pytest.raises(PrefectUnavailable, match=r"at http://127\.0\.0\.1:9/api .*See that its server runs") as raised,
    ):
        configured(catalog=main)
    assert raised.value.transient
    assert _SECRET not in str(raised.value)


@pytest.mark.parametrize(
    ("kind", "values", "told"),
    [
        ("ReforgeCatalog", {"url": _SECRET}, "catalog's URL can't be read"),
        ("ReforgeCatalog", {"url": "sqlite:///catalog.sqlite"}, "another one in each working folder"),
        ("ReforgeCatalog", {"url": "sqlite://"}, "in memory"),
        ("ReforgeStore", {"url": "ftp://host"}, "'ftp' isn't supported"),
        ("ReforgeStore", {"url": f"s3://user:{_SECRET}@images"}, "names no bucket"),
        ("ReforgeStore", {"url": _URL, "secret_key": _SECRET}, "only one of access key and secret key"),
        ("ReforgeStore", {"url": _URL, "session_token": _SECRET}, "session token without keys"),
        ("ReforgeStore", {"url": "file:///x", "access_key": "a", "secret_key": _SECRET}, "folder has no keys"),
        ("ReforgeBuilder", {"cache_gigabytes": float("inf")}, "cache_gigabytes"),
        ("ReforgeBuilder", {"pool_gigabytes": 0}, "pool_gigabytes"),
    ],
)
def test_a_block_that_cannot_be_right_is_not_made(api: str, kind: str, values: dict[str, object], told: str) -> None:
    """What is wrong with it, without its secrets."""
    from blocks import collection  # noqa: PLC0415

    assert api
    with pytest.raises((ReforgeError, ValidationError), match=told) as raised:
        getattr(collection, kind)(**values)
    assert _SECRET not in str(raised.value)


def test_the_connection_test_meets_what_a_run_would(main: str, home: Path) -> None:
    """The catalog that was saved isn't there; its password isn't repeated."""
    from blocks.collection import ReforgeBuilder, ReforgeCatalog  # noqa: PLC0415

    with pytest.raises(CatalogUnavailable, match=r"127\.0\.0\.1") as raised:
        ReforgeCatalog.load(main).check()  # type: ignore[union-attr] # in plain code it is no coroutine
    assert _SECRET not in str(raised.value)
    assert f"GB are free at {home}" in ReforgeBuilder().check()


def test_a_bucket_opens_with_the_blocks_keys(api: str, tmp_path: Path) -> None:
    """And with no others: the server refuses wrong ones, and the error says so without repeating them."""
    from blocks.collection import ReforgeStore  # noqa: PLC0415

    assert api
    with rclone(tmp_path / "served") as server:
        url = server.bucket("images")
        keys = {"access_key": CREDENTIALS.access_key, "secret_key": CREDENTIALS.secret_key}
        ReforgeStore(url=url, **keys).save("bucket", overwrite=True)
        settings = configured(store="bucket")
        store = open_store(settings.store(), settings.store_keys())
        assert store.has(store.put(b"bytes").sha256)
        told = checks(settings)["store"]()
        assert told == "The store s3://images/images can be listed, written, read and cleared"
        with pytest.raises(StoreRefused, match="access key") as raised:
            ReforgeStore(url=url, **keys | {"secret_key": SecretStr(_SECRET)}).check()
    assert _SECRET not in str(raised.value)


def test_the_ports_open_with_what_the_documents_example_saved(
    api: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The program of docs/blocks.md as it stands there, run twice, then a catalog and a store by its blocks."""
    program = re.findall(r"```python\n(.*?)```", _DOCUMENT.read_text("utf-8"), re.DOTALL)[0]
    url = f"sqlite:///{tmp_path}/catalog.sqlite"
    Catalog.prepare(url).close()
    monkeypatch.setenv("CATALOG_URL", url)
    monkeypatch.setenv("STORE_URL", (tmp_path / "store").as_uri())
    for _ in range(2):
        exec(compile(program.replace('"main"', '"document"'), _DOCUMENT, "exec"), {})  # noqa: S102 (our own document)
    assert capsys.readouterr().out.count("GB are free") == 2
    with Ports.open(configured("document", "document", "document")) as ports:
        assert ports.catalog.database.file == tmp_path / "catalog.sqlite"
        assert ports.store.uri("0" * 64).startswith((tmp_path / "store").as_uri())
    assert api
