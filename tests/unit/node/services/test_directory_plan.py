from __future__ import annotations

from dataclasses import replace

import pytest

from hashpact_node.services.directory_plan import (
    Known,
    Step,
    own_differences,
    propose,
    unlisted,
    version_of,
)
from hashpact_node.store.decisions import DIRECTORY, LOCAL, Decision
from hashpact_node.store.peers import ACTIVE, PAUSED, REMOVED, SUSPENDED, Peer
from hashpact_protocol.directory import Directory, DirectoryMember, Standing

ROOT = f"2:sha256:{'a' * 64}"
OTHER = f"2:sha256:{'b' * 64}"
BETA = DirectoryMember("beta", "https://beta.example", ROOT, Standing.ADMITTED, "2026-11-24T04:00:00Z")
OUT = replace(BETA, standing=Standing.SUSPENDED, reason="theft")


def known(state: str, by: str | None = None, *, url: str = "https://beta.example", root: str = ROOT) -> Known:
    peer = Peer(
        number=1,
        member="beta",
        url=url,
        own=False,
        state=state,
        added_at=0,
        pinned_root=None,
        pinned_fingerprint=root,
        **dict.fromkeys(("card", "card_version", "card_accepted_at", "trust_checked_at", "trust_error")),
        failures=0,
        **dict.fromkeys(("next_try_at", "last_try_at", "last_good_at", "last_error")),
    )
    return Known(peer, frozenset({root}), None if by is None else Decision("beta", by, 0, None))


def proposed(entry: DirectoryMember, here: Known | None) -> tuple[Step, str | None] | None:
    found = propose(Directory("A Consortium", (entry,)), {} if here is None else {"beta": here})
    return None if not found else (found[0].step, found[0].left)


@pytest.mark.parametrize(
    ("entry", "here", "step"),
    [
        (BETA, None, Step.ADD),
        (OUT, None, None),
        (BETA, known(ACTIVE), None),
        (OUT, known(ACTIVE, DIRECTORY), Step.SUSPEND),
        (OUT, known(SUSPENDED, DIRECTORY), None),
        (OUT, known(SUSPENDED, LOCAL), None),
        (OUT, known(REMOVED, LOCAL), None),
        (BETA, known(SUSPENDED, DIRECTORY), Step.READMIT),
    ],
)
def test_what_the_directory_does_by_itself(entry: DirectoryMember, here: Known | None, step: Step | None) -> None:
    assert proposed(entry, here) == (None if step is None else (step, None))


@pytest.mark.parametrize(
    ("entry", "here", "step", "left"),
    [
        (BETA, known(REMOVED, LOCAL), Step.ADD, "removed it"),
        (BETA, known(REMOVED), Step.ADD, "removed it"),
        (BETA, known(PAUSED, LOCAL), Step.READMIT, "paused it"),
        (OUT, known(PAUSED, LOCAL), Step.SUSPEND, "paused it"),
        (BETA, known(SUSPENDED, LOCAL), Step.READMIT, "suspended it"),
        (BETA, known(SUSPENDED), Step.READMIT, "suspended it"),
        (OUT, known(ACTIVE, LOCAL), Step.SUSPEND, "wants it to be followed"),
        (OUT, known(ACTIVE), Step.SUSPEND, "wants it to be followed"),
        (BETA, known(ACTIVE, DIRECTORY, root=OTHER), Step.MOVE, "another root"),
        (OUT, known(ACTIVE, DIRECTORY, root=OTHER), Step.SUSPEND, "another root"),
        (BETA, known(ACTIVE, DIRECTORY, url="https://old.example"), Step.MOVE, "at https://old.example"),
        (OUT, known(ACTIVE, DIRECTORY, url="https://old.example"), Step.SUSPEND, "at https://old.example"),
    ],
)
def test_what_is_left_to_a_person(entry: DirectoryMember, here: Known, step: Step, left: str) -> None:
    found = proposed(entry, here)
    assert found is not None
    assert found[0] is step
    assert left in (found[1] or "")


def test_whoever_is_new_and_may_be_taken_for_another_is_left_to_a_person() -> None:
    others = [known(ACTIVE).peer]
    like = replace(BETA, member="8eta", url="https://elsewhere.example")
    assert not propose(Directory("", (like,)), {}, others)[0].left, "this does not read alike"
    for entry, words in (
        (replace(BETA, member="be-ta", url="https://elsewhere.example"), "the id be-ta may be taken for beta"),
        (replace(BETA, member="delta", url="https://be-ta.example"), "the address be-ta.example may be taken for"),
    ):
        (found,) = propose(Directory("", (entry,)), {}, others)
        assert found.step is Step.ADD
        assert words in (found.left or "")
    assert propose(Directory("", (BETA,)), {}, others)[0].left is None, "nobody is taken for itself"


def test_of_this_member_nothing_is_proposed() -> None:
    here = known(ACTIVE)
    own = replace(here, peer=replace(here.peer, own=True))
    assert propose(Directory("", (OUT,)), {"beta": own}) == []


def test_a_root_that_is_newer_than_all_that_are_held_is_no_difference() -> None:
    here = known(ACTIVE)
    assert here.agrees(replace(BETA, fingerprint=f"3:sha256:{'c' * 64}"))
    assert not here.agrees(replace(BETA, fingerprint=OTHER))
    assert not here.agrees(replace(BETA, fingerprint=f"1:sha256:{'c' * 64}"))
    assert version_of(ROOT) == 2


def test_whoever_came_from_the_directory_and_is_not_in_it_is_told() -> None:
    empty = Directory("A Consortium", ())
    assert unlisted(empty, {"beta": known(ACTIVE, DIRECTORY)}) == ["beta"]
    for here in (known(ACTIVE, LOCAL), known(ACTIVE), known(REMOVED, DIRECTORY)):
        assert unlisted(empty, {"beta": here}) == []
    assert unlisted(Directory("A Consortium", (BETA,)), {"beta": known(ACTIVE, DIRECTORY)}) == []


def test_what_it_says_of_this_member_is_compared() -> None:
    own = known(ACTIVE)
    assert list(own_differences(Directory("A Consortium", ()), own)) == []
    assert list(own_differences(Directory("A Consortium", (BETA,)), own)) == []
    wrong = replace(OUT, url="https://other.example", fingerprint=OTHER)
    found = list(own_differences(Directory("A Consortium", (wrong,)), own))
    assert [part in text for part, text in zip(("other.example", "is none", "suspended: theft"), found, strict=True)]
