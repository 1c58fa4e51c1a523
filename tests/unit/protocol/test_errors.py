from __future__ import annotations

import pickle
import re
from collections.abc import Iterator
from typing import Any

import pytest

from hashpact_protocol import errors
from hashpact_protocol.errors import FetchStatusError, ForkError, HashpactError, NoteError


def tree(kind: type[HashpactError] = HashpactError) -> Iterator[type[HashpactError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from tree(child)


CLASSES = [kind for kind in tree() if kind.__module__ == errors.__name__]


MORE: dict[type[HashpactError], dict[str, Any]] = {
    FetchStatusError: {"status": 503},
    ForkError: {"evidence": (b"one", b"two")},
}


def make(kind: type[HashpactError]) -> HashpactError:
    return kind("it broke", where="here", mend="glue it", **MORE.get(kind, {}))


def sent(error: HashpactError) -> Any:
    """What of an error arrives in another process."""
    return pickle.loads(pickle.dumps(error))  # noqa: S301 - what was written a moment ago


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    assert errors.__doc__ is not None
    drawn = re.findall(r"^    ([│├└─ ]*)(\w+Error) +([a-z-]+)", errors.__doc__, re.MULTILINE)
    assert [name for _, name, _ in drawn] == [kind.__name__ for kind in CLASSES]
    for (indent, _, code), kind in zip(drawn, CLASSES, strict=True):
        assert code == kind.code
        assert len(indent) // 4 == kind.__mro__.index(HashpactError)


def test_every_class_has_a_code_and_a_meaning_of_its_own() -> None:
    assert len({kind.code for kind in CLASSES}) == len(CLASSES)
    assert all(kind.__doc__ and "code" in vars(kind) for kind in CLASSES)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: str(kind.__name__))
def test_errors_come_whole_out_of_worker_processes(kind: type[HashpactError]) -> None:
    error = make(kind)
    again = sent(error)
    assert type(again) is kind
    assert vars(again) == vars(error)
    assert again.args == error.args == ("it broke",)
    assert str(again) == str(error)


@pytest.mark.parametrize(
    ("where", "mend", "text"),
    [
        (None, None, "it broke"),
        ("here", None, "here: it broke"),
        (None, "glue it", "it broke (glue it)"),
        ("here", "glue it", "here: it broke (glue it)"),
    ],
)
def test_the_text_says_what_where_and_how_to_mend(where: str | None, mend: str | None, text: str) -> None:
    assert str(NoteError("it broke", where=where, mend=mend)) == text


def test_where_may_be_told_later() -> None:
    error = NoteError("it broke")
    error.where = "there"
    assert str(sent(error)) == "there: it broke"


def test_some_carry_more() -> None:
    assert FetchStatusError("no", status=404).status == 404
    assert ForkError("two stories").evidence == ()
