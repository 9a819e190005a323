"""What a locale and a keyboard take, and how unknown ones are told; the trees are made up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from blocks.builder.programs import localisation
from blocks.builder.stages.resolve import asked
from blocks.model import Recipe

RULES = """! model
  pc105           Generic 105-key PC

! layout
  us              English (US)
  de              German

! variant
  nodeadkeys      de: German (no dead keys)

! option
  ctrl                 Ctrl position
  ctrl:nocaps          Caps Lock as Ctrl
"""
GERMAN = {"layout": "de", "variant": "nodeadkeys", "model": "pc105", "options": "ctrl:nocaps"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A tree that knows one locale and two layouts."""
    for name, text in (("i18n/SUPPORTED", "de_DE.UTF-8 UTF-8\nde_DE ISO-8859-1\n"), ("X11/xkb/rules/base.lst", RULES)):
        path = tmp_path / "usr/share" / name
        path.parent.mkdir(parents=True)
        path.write_text(text, "utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("given", "implied"),
    [
        ({}, ()),
        ({"locale": "C.UTF-8"}, ()),
        ({"locale": "de_DE.UTF-8"}, ("locales",)),
        ({"keyboard": {"layout": "de"}}, ("console-setup", "keyboard-configuration")),
    ],
)
def test_the_packages_that_it_takes_are_implied(
    make_recipe: Callable[..., Recipe], given: dict[str, object], implied: tuple[str, ...]
) -> None:
    """What a locale or a keyboard needs is resolved with the packages that were asked for, once."""
    assert asked(make_recipe("bash", **given)).packages == ("bash", *implied)
    assert asked(make_recipe("bash", *implied, **given)).packages == ("bash", *implied)


@pytest.mark.parametrize("locale", ["de_AT.UTF-8", "de_DE.UTF-16", "en_US"])
def test_an_unknown_locale_is_told(root: Path, locale: str) -> None:
    """A locale that the image has no definition of is named, with where the known ones are."""
    with pytest.raises(SystemExit, match=rf"the locale {locale} is not known .*usr/share/i18n/SUPPORTED"):
        localisation.set_locale(root, locale)


def test_the_c_locale_needs_nothing(tmp_path: Path) -> None:
    """C.UTF-8 is built into the C library; a link that the image has is followed, as Debian 13 has one."""
    (tmp_path / "etc/default").mkdir(parents=True)
    (tmp_path / "etc/default/locale").symlink_to("../locale.conf")
    localisation.set_locale(tmp_path, "C.UTF-8")
    assert (tmp_path / "etc/locale.conf").read_text("utf-8") == "LANG=C.UTF-8\n"


@pytest.mark.parametrize(
    ("kind", "changed"),
    [
        ("layout qq", {"layout": "qq", "variant": ""}),
        ("variant us:nodeadkeys", {"layout": "us"}),
        ("variant us:nodeadkeys", {"layout": "de,us", "variant": "nodeadkeys,nodeadkeys"}),
        ("model pc999", {"model": "pc999"}),
        ("option ctrl:none", {"options": "ctrl:nocaps,ctrl:none"}),
    ],
)
def test_an_unknown_keyboard_is_told(root: Path, kind: str, changed: dict[str, str]) -> None:
    """Of layout, variant, model and options the one that the image doesn't know is named."""
    with pytest.raises(SystemExit, match=rf"the keyboard {kind} is not known .*base\.lst"):
        localisation.set_keyboard(root, {**GERMAN, **changed}, 1)
