from __future__ import annotations

import json

import pytest

from hashpact_node.net.fetcher import Answer
from hashpact_node.net.peer_status import DETAIL_MAX, status_error

URL = "https://beta.example/logs/listings-1/checkpoint"


def error(body: bytes, status: int = 401) -> tuple[str, str | None]:
    found = status_error(Answer(status, {}, body), URL, mend="see whether it is up")
    assert (found.status, found.where) == (status, URL)
    return found.what, found.mend


def test_whoever_is_not_known_is_told_whom_to_ask() -> None:
    what, mend = error(json.dumps({"detail": "no member signed this request"}).encode())
    assert what == "the peer answered with status 401: no member signed this request"
    assert mend is not None
    assert "`hashpact peer add`" in mend
    assert "clocks" in mend
    assert error(b"", 404) == ("the peer answered with status 404", "see whether it is up")


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b"{}", b"7", b"null", b'{"detail": 7}', b'{"detail": " "}', b"[" * 9_000, b"\xff\xfe"],
    ids=range(10),
)
def test_what_is_no_problem_is_not_shown(body: bytes) -> None:
    assert error(body)[0] == "the peer answered with status 401"


def test_a_peers_words_are_cut_and_made_safe() -> None:
    (what, _) = error(json.dumps({"detail": "a\x1b[2J\nb\u202ec " + "x" * 9_000}).encode())
    assert what.startswith("the peer answered with status 401: a\ufffd[2J b\ufffdc xxx")
    assert what.endswith("x\u2026")
    assert len(what) == len("the peer answered with status 401: ") + DETAIL_MAX


def test_a_witness_is_called_one() -> None:
    assert status_error(Answer(500, {}, b""), URL, who="witness").what == "the witness answered with status 500"
