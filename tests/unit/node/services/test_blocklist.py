from __future__ import annotations

import base64

import pytest

from hashpact_node.services import claims_view
from hashpact_node.services.blocklist import Blocklist
from hashpact_node.store.database import Database
from hashpact_protocol.errors import RequestError
from hashpact_protocol.policy import Action
from hashpact_protocol.signals import make_signal
from members import add_log, listing, pdq, sha256, withdrawal

SOUND = make_signal("sound", "abc")
SOUNDS = make_signal("sounds", "abc")


@pytest.fixture
def blocklist(database: Database) -> Blocklist:
    """Ours: SHA-256 1 to 3 and a PDQ; beta's alone: SHA-256 4 and 5 and two of unknown types; withdrawn: 9."""
    acme, beta = add_log(database, "acme", own=True), add_log(database, "beta")
    acme.append(*(listing(number, sha256(number), labels=["a"]) for number in (1, 2, 3, 9)), listing(4, pdq(1)))
    beta.append(listing(1, sha256(4), sha256(5)), listing(2, SOUND, SOUNDS), listing(3, pdq(2, 10)))
    acme.append(withdrawal(10, 9))
    return Blocklist(database)


def keys(blocklist: Blocklist, action: Action | None, type_name: str | None, limit: int) -> list[str]:
    found: list[str] = []
    cursor = None
    while True:
        page = blocklist.page(cursor, action=action, type_name=type_name, limit=limit)
        assert len(page.signals) <= limit
        found += [view.key for view in page.signals]
        cursor = page.cursor
        if cursor is None:
            return found


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_pages_give_every_signal_once(blocklist: Blocklist, limit: int) -> None:
    ours = [f"sha256:{sha256(number).value}" for number in (1, 2, 3)]
    theirs = [f"sha256:{sha256(number).value}" for number in (4, 5)]
    pdqs = [f"pdq:{pdq(1).value}"], [f"pdq:{pdq(2).value}"]
    unknown = ["sound:abc", "sounds:abc"]
    assert keys(blocklist, None, None, limit) == [*ours, *theirs, *pdqs[0], *pdqs[1], *unknown]
    assert keys(blocklist, Action.BLOCK, None, limit) == [*ours, *pdqs[0]]
    assert keys(blocklist, Action.IGNORE, None, limit) == pdqs[1]
    assert keys(blocklist, Action.OBSERVE, None, limit) == []
    assert keys(blocklist, Action.REVIEW, "sha256", limit) == theirs
    assert keys(blocklist, None, "pdq", limit) == [*pdqs[0], *pdqs[1]]
    assert keys(blocklist, None, "sound", limit) == ["sound:abc"]
    assert keys(blocklist, None, "tlsh", limit) == []


def test_pages_are_shorter_where_there_are_very_many_claims(
    blocklist: Blocklist, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims_view, "PAGE_CLAIMS", 2)
    assert len(blocklist.page(limit=100).signals) == 2
    assert len(keys(blocklist, None, None, 100)) == len(list(blocklist.export(None))) == 9


def test_a_page_says_why(blocklist: Blocklist) -> None:
    view = blocklist.page(limit=1).signals[0]
    assert (view.action, view.rule, view.publishers, view.labels) == ("block", "own-listing", ("acme",), ("a",))
    assert len(view.claims) == 1


def test_signals_are_counted_by_action(blocklist: Blocklist) -> None:
    assert blocklist.counts() == {"block": 4, "review": 4, "observe": 0, "ignore": 1}


def test_the_export_gives_one_action_or_all(blocklist: Blocklist, database: Database) -> None:
    assert [view.key for view in blocklist.export()] == keys(blocklist, Action.BLOCK, None, 100)
    assert [view.key for view in blocklist.export(None)] == keys(blocklist, None, None, 100)
    assert [view.key for view in blocklist.export(Action.REVIEW, type_name="sound")] == ["sound:abc"]
    assert len(Blocklist(database).page().signals) == 9


@pytest.mark.parametrize("cursor", ["?", "A", "AAAA", base64.urlsafe_b64encode(b"\x03short").decode(), "é"])
def test_a_foreign_cursor_is_refused(blocklist: Blocklist, cursor: str) -> None:
    with pytest.raises(RequestError) as refused:
        blocklist.page(cursor)
    assert refused.value.where == "cursor"


def test_wrong_limits_and_types_are_refused(blocklist: Blocklist) -> None:
    for limit in (0, 10_001):
        with pytest.raises(RequestError, match="a page holds"):
            blocklist.page(limit=limit)
    with pytest.raises(RequestError, match="a type is"):
        blocklist.page(type_name="PDQ")
