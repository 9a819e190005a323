"""FIQL: what clients write is understood, whatever else comes is refused with its place, and nothing else happens."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blocks.catalog import fiql
from blocks.catalog.fiql import COMPARISONS, DEPTH, LENGTH, OPERATORS, Comparison, Condition, Every, Some, parse
from blocks.errors import InvalidInput

_UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
_NAME = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,8}(\.[A-Za-z][A-Za-z0-9_]{0,8}){0,2}", fullmatch=True)
_TEXT = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=12)
_PATTERN = st.lists(_TEXT, min_size=1, max_size=4).map(tuple)
_COMPARISON = st.builds(Comparison, _NAME, st.sampled_from(OPERATORS), _PATTERN)


def _joined(parts: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
    several = st.lists(parts, min_size=2, max_size=3).map(tuple)
    return st.one_of(st.builds(Every, several), st.builds(Some, several))


_CONDITION = st.recursive(_COMPARISON, _joined, max_leaves=6)


@_UNHURRIED
@given(_CONDITION)
def test_what_is_printed_is_read_again(condition: Condition) -> None:
    """A condition that is printed says the same, with every character that a value may have."""
    assert parse(str(condition)) == condition


@_UNHURRIED
@given(st.text(max_size=60) | st.text("ab.=!<>()',;\"\\* lteg1", max_size=60))
def test_any_text_is_a_query_or_invalid_input(text: str) -> None:
    """Nothing but InvalidInput is ever raised, and it says where and what is allowed."""
    found: Condition | InvalidInput
    try:
        found = parse(text)
    except InvalidInput as error:
        found = error
    if isinstance(found, InvalidInput):
        assert "at character" in found.what
        assert found.what.endswith("allowed")
        assert found.hint
    else:
        assert parse(str(found)) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("dbId==5", Comparison("dbId", "==", ("5",))),
        ("name==foo*", Comparison("name", "==", ("foo", ""))),
        ("name=='*nginx*'", Comparison("name", "==", ("", "nginx", ""))),
        ('name=="it\'s"', Comparison("name", "==", ("it's",))),
        (r"name=='a\*b\'c\\d'", Comparison("name", "==", (r"a*b'c\d",))),
        ("name==''", Comparison("name", "==", ("",))),
        (
            "targetFormat.name=='OpenStack QCOW2'",
            Comparison("targetFormat.name", "==", ("OpenStack QCOW2",)),
        ),
        (
            "created=ge=2026-01-02T03:04:05.678Z",
            Comparison("created", "=ge=", ("2026-01-02T03:04:05.678Z",)),
        ),
        (
            " name == 'a' ; version != 1.0 ",
            Every((Comparison("name", "==", ("a",)), Comparison("version", "!=", ("1.0",)))),
        ),
    ],
)
def test_the_forms_that_clients_use(text: str, found: Condition) -> None:
    """Quotes, dots, wildcards, escapes, spaces around and every form of the published clients."""
    assert parse(text) == found


def test_and_binds_more_than_or() -> None:
    """Without parentheses `a;b,c` is (a and b) or c; with them it is what they say."""
    a, b, c = (Comparison(name, "==", ("1",)) for name in "abc")
    assert parse("a==1;b==1,c==1") == Some((Every((a, b)), c))
    assert parse("a==1;(b==1,c==1)") == Every((a, Some((b, c))))
    assert parse("((a==1))") == a


@pytest.mark.parametrize(
    ("text", "place", "allowed"),
    [
        ("", 1, "a selector or ( is allowed"),
        ("name", 5, "one of == != =lt= =le= =gt= =ge= is allowed"),
        ("name=x", 5, "one of == !="),
        ("name==", 7, "a value is allowed"),
        ("name=='x", 7, "a value is allowed"),
        ("name==x y", 9, "allowed"),
        ("(name==x", 9, ") is allowed"),
        ("name==x)", 8, "is allowed"),
        ("name==x;;", 9, "a selector or ( is allowed"),
        ("name==x\n", 8, "printable characters are allowed"),
        ("name=='\0'", 8, "printable characters are allowed"),
        ("name=='\ud800'", 8, "printable characters are allowed"),
        ("a==" + "b" * LENGTH, LENGTH + 1, f"{LENGTH} characters are allowed"),
        (";".join(["a==1"] * (COMPARISONS + 1)), 1, f"{COMPARISONS} comparisons are allowed"),
        ("(a==1;(a==1," * DEPTH + "a==1" + "))" * DEPTH, 1, f"{DEPTH} deep"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, place: int, allowed: str) -> None:
    """The error names the character, counted from one, and what would be right there."""
    with pytest.raises(InvalidInput) as refusal:
        parse(text)
    assert f"at character {place}," in refusal.value.what
    assert allowed in refusal.value.what


def test_what_is_allowed_still_is() -> None:
    """The longest, the widest and the deepest query is read."""
    assert parse(";".join(["a==1"] * COMPARISONS)).size == COMPARISONS
    assert parse("a==" + "b" * (LENGTH - 3)).size == 1
    deep = "(a==1;(a==1," * (DEPTH // 2) + "a==1" + "))" * (DEPTH // 2)
    assert parse(deep).depth == DEPTH
    assert parse("(" * 900 + "a==1" + ")" * 900) == fiql.Comparison("a", "==", ("1",))
