"""What every error promises: what, hint, exit code, whether another try helps, and that it crosses processes."""

from __future__ import annotations

import pickle

import pytest

from blocks import errors
from blocks.errors import ReforgeError


def tree(kind: type[ReforgeError] = ReforgeError) -> list[type[ReforgeError]]:
    """The kind and all kinds below it that the module defines."""
    below = [entry for child in kind.__subclasses__() if child.__module__ == errors.__name__ for entry in tree(child)]
    return [kind, *below]


@pytest.mark.parametrize("kind", tree())
def test_error_survives_a_process_border(kind: type[ReforgeError]) -> None:
    """A pickled error comes back as the same kind with the same what and hint."""
    copy = pickle.loads(pickle.dumps(kind("It broke", "Mend it")))  # noqa: S301 - its own bytes
    assert type(copy) is kind
    assert (copy.what, copy.hint) == ("It broke", "Mend it")


@pytest.mark.parametrize("kind", tree())
def test_error_is_drawn_in_the_tree(kind: type[ReforgeError]) -> None:
    """The module's docstring draws every kind of error, and each has a sentence of its own."""
    assert errors.__doc__ is not None
    assert kind.__name__ in errors.__doc__.split()
    assert kind.__doc__


def test_message_reads_well() -> None:
    """An error prints what went wrong and then what to do, and without a hint only what went wrong."""
    assert str(ReforgeError("It broke", "Mend it")) == "It broke. Mend it"
    assert str(ReforgeError("It broke")) == "It broke"


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.BuildFailed, 1),
        (errors.Refused, 2),
        (errors.InvalidInput, 2),
        (errors.Denied, 3),
        (errors.ForeignAppliance, 3),
        (errors.NotFound, 4),
        (errors.Stopped, 5),
        (errors.MachineUnfit, 1),
        (errors.Unavailable, 1),
        (errors.Contradiction, 1),
    ],
)
def test_exit_codes(kind: type[ReforgeError], code: int) -> None:
    """The command line's exit codes are those of the kinds."""
    assert kind.exit_code == code


def test_only_what_is_unavailable_is_tried_again() -> None:
    """Another try is worth it for the kinds of Unavailable and for a full disk, for no other."""
    assert {kind for kind in tree() if kind.transient} == {*tree(errors.Unavailable), errors.NoSpace}
