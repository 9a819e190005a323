"""Locale and keyboard of the install profile, set up by the tree's own programs and written where Debian reads them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from blocks.builder.programs import command
from blocks.builder.programs.tree import within, write

_BUILT_IN = "C.UTF-8"
_SUPPORTED = "usr/share/i18n/SUPPORTED"
_KEYBOARD = "etc/default/keyboard"
_CONSOLE = "etc/default/console-setup"
_CACHE = "etc/console-setup"
_RULES = "usr/share/X11/xkb/rules/base.lst"


def set_locale(root: Path, locale: str) -> None:
    """Make the locale and have every login and service use it; one that the image doesn't know ends the program."""
    if locale != _BUILT_IN:
        write(root, "etc/locale.gen", f"{_entry(root, locale)}\n")
        command.inside(root, ["locale-gen"])
        if all(path.name.lower() == "c.utf8" for path in within(root, "usr/lib/locale").iterdir()):
            command.fail(f"the locale {locale} can't be made from the image's own definitions")
    write(root, "etc/default/locale", f"LANG={locale}\n")


def _entry(root: Path, locale: str) -> str:
    """The locale with its character set, as locale-gen reads them."""
    file = within(root, _SUPPORTED)
    rows = file.read_text("utf-8").splitlines() if file.is_file() else []
    entry = next((row.strip() for row in rows if row.split()[:1] == [locale]), None)
    if entry is None:
        command.fail(f"the locale {locale} is not known in the image: name one of /{_SUPPORTED} (package locales)")
    return entry


def set_keyboard(root: Path, keyboard: Mapping[str, str], epoch: int) -> None:
    """Write the keyboard's settings, and the map that the console loads at each boot; an unknown one ends the program.

    The settings are older than the map made from them, or the first boot would make it again.
    """
    _check(root, keyboard)
    for path in within(root, _CACHE).glob("cached_*"):
        path.unlink()
    rows = {f"XKB{name.upper()}": keyboard[name] for name in ("model", "layout", "variant", "options")}
    text = "".join(f'{name}="{value}"\n' for name, value in {**rows, "BACKSPACE": "guess"}.items())
    settings = write(root, _KEYBOARD, text)
    command.inside(root, ["setupcon", "--save-only", "--force"])
    for path in (settings, within(root, _CONSOLE)):
        os.utime(path, (epoch - 1, epoch - 1))


def _check(root: Path, keyboard: Mapping[str, str]) -> None:
    known = _rules(within(root, _RULES))
    layouts, variants = keyboard["layout"].split(","), keyboard["variant"].split(",")
    wanted = {
        "model": [keyboard["model"]],
        "layout": layouts,
        "variant": [f"{layout}:{variant}" for layout, variant in zip(layouts, variants, strict=False) if variant],
        "option": list(filter(None, keyboard["options"].split(","))),
    }
    for kind, names in wanted.items():
        for name in names:
            if name not in known.get(kind, ()):
                command.fail(f"the keyboard {kind} {name} is not known in the image: name one of /{_RULES} (xkb-data)")


def _rules(file: Path) -> dict[str, set[str]]:
    """What xkb-data lists, by kind; a variant as LAYOUT:VARIANT."""
    known: dict[str, set[str]] = {}
    kind = ""
    for row in file.read_text("utf-8").splitlines() if file.is_file() else ():
        first, _, rest = row.strip().partition(" ")
        if first == "!":
            kind = rest.strip()
        elif first:
            known.setdefault(kind, set()).add(f"{rest.split(':')[0].strip()}:{first}" if kind == "variant" else first)
    return known
