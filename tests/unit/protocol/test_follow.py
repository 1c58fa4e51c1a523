from __future__ import annotations

from base64 import b64decode
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashpact_protocol.errors import ForkError, HashpactError
from hashpact_protocol.follow import Head, Judged, LogTrust, Verdict, WitnessKey, is_stale, judge_checkpoint
from hashpact_protocol.notes import VerifierKey
from hashpact_protocol.tlog_policy import parse_policy
from vectors.cases import cases, facts, on_disk
from vectors.generate_follow import ACCEPTED, BETA, KEY, NOW, OWN, READER, Json, follow_family, root, signed, text
from vectors.generate_follow import facts as usual_facts
from vectors.signers import Signer


def by_name(folder: Path) -> str:
    return folder.name


def moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def witness_keys(values: list[Json]) -> tuple[WitnessKey, ...]:
    return tuple(
        WitnessKey(VerifierKey.parse(value["key"]), moment(value["from"]), moment(value["until"])) for value in values
    )


def log_trust(value: Json) -> LogTrust:
    return LogTrust(
        origin=value["origin"],
        keys=tuple(map(VerifierKey.parse, value["keys"])),
        other_keys=tuple(map(VerifierKey.parse, value["other_keys"])),
        publisher=value["publisher"],
        reader=value["reader"],
        publisher_witness=witness_keys(value["publisher_witness"]),
        witnesses={member: witness_keys(keys) for member, keys in value["witnesses"].items()},
    )


def judge(case: Json, note: bytes, accepted: bytes | None) -> Judged:
    held = case["held"]
    roots = {int(size): b64decode(value) for size, value in case["roots"].items()}
    return judge_checkpoint(
        note,
        log_trust(case["trust"]),
        held=held and Head(held["size"], b64decode(held["root"])),
        accepted_note=accepted if held else None,
        root_at=roots.get,
        now=moment(case["now"]),
        require_witnesses=case["require_witnesses"],
    )


@pytest.mark.parametrize("folder", cases("follow", "follow"), ids=by_name)
def test_vectors(folder: Path) -> None:
    case, note, accepted = facts(folder), (folder / "note").read_bytes(), (folder / "accepted").read_bytes()
    if folder.name.endswith("_fail"):
        with pytest.raises(HashpactError) as caught:
            judge(case, note, accepted)
        assert caught.value.code == case["error"]
        if isinstance(caught.value, ForkError):
            assert caught.value.evidence == ((accepted, note) if case["held"] else (note,))
        return
    judged = judge(case, note, accepted)
    assert judged.verdict == case["verdict"]
    assert judged.cosigners == set(case["cosigners"])
    assert judged.own_cosigned_at == case["own_cosigned_at"]
    assert len(judged.notices) == case["notices"]
    assert judged.note == note


def test_vectors_are_those_that_the_generator_makes() -> None:
    assert on_disk("follow") == follow_family().files


def test_a_notice_names_the_member_whose_cosignature_is_claimed() -> None:
    judged = judge(usual_facts(), signed(text(101), BETA.cosign(text(102), NOW)), ACCEPTED)
    assert judged.notices == ("a signature that claims to be the cosignature of beta is wrong, and counts as none",)


def test_a_witness_key_listed_with_two_times_counts_in_both() -> None:
    trust = log_trust(usual_facts()["trust"])
    key = trust.witnesses["beta"][0].key
    times = (WitnessKey(key, moment(0), moment(9)), WitnessKey(key, moment(NOW), moment(NOW)))
    for time, counts in [(9, True), (10, False), (NOW - 1, False), (NOW, True)]:
        judged = judge_checkpoint(
            signed(text(1), BETA.cosign(text(1), time)),
            replace(trust, witnesses={"beta": times}),
            held=None,
            accepted_note=None,
            root_at=lambda _size: None,
            now=moment(NOW),
        )
        assert bool(judged.cosigners) is counts


OUTSIDER = Signer("witness.example", 4, "outsider")
AS_LOG, AS_OWN, AS_READER = (replace(signer, name="other.example", type=4) for signer in (KEY, OWN, READER))
SHOWN = text(101)


@pytest.mark.parametrize(
    ("lines", "verdict"),
    [
        ([OUTSIDER.cosign(SHOWN, 1)], Verdict.GROWN),
        ([OUTSIDER.cosign(text(102)), OUTSIDER.cosign(SHOWN)], Verdict.GROWN),
        ([OUTSIDER.cosign(text(102))], Verdict.WAITING),
        ([BETA.cosign(SHOWN, NOW)], Verdict.WAITING),
        ([signer.cosign(SHOWN, NOW) for signer in (AS_LOG, AS_OWN, AS_READER)], Verdict.WAITING),
        ([], Verdict.WAITING),
    ],
    ids=["its-witness", "wrong-then-right", "wrong", "a-member", "publisher-and-reader", "nobody"],
)
def test_the_quorum_of_a_policy(lines: list[str], verdict: Verdict) -> None:
    named = [OUTSIDER, AS_LOG, AS_OWN, AS_READER]
    witnesses = "".join(f"witness w{number} {signer.vkey}\n" for number, signer in enumerate(named))
    policy = parse_policy(f"{witnesses}group one any w0 w1 w2 w3\nquorum one\n".encode())
    case = usual_facts(require_witnesses=policy)
    assert judge(case, signed(SHOWN, *lines), ACCEPTED).verdict is verdict
    assert judge(case, ACCEPTED, ACCEPTED).verdict is Verdict.NO_NEWS


@given(st.integers(1, 200), st.integers(1, 200), st.integers(0, 200), st.booleans())
def test_one_story_is_never_a_fork_and_two_are_never_news(held: int, shown: int, known: int, honest: bool) -> None:  # noqa: FBT001 - hypothesis gives positional booleans
    case = usual_facts(
        held={"size": held, "root": root(held)}, roots={str(size): root(size) for size in range(1, known + 1)}
    )
    note = signed(text(shown, "" if honest else "other"))
    told = signed(text(held))
    if not honest and (shown == held or shown <= known):
        with pytest.raises(ForkError) as caught:
            judge(case, note, told)
        assert caught.value.evidence == (told, note)
        return
    verdict = judge(case, note, told).verdict
    if shown == held:
        assert verdict is Verdict.NO_NEWS
    else:
        assert verdict is (Verdict.GROWN if shown > held else Verdict.OLD_ANSWER)


@given(st.integers(0, len(ACCEPTED) - 1), st.integers(1, 255))
def test_no_altered_byte_goes_unnoticed(place: int, flip: int) -> None:
    note = bytearray(ACCEPTED)
    note[place] ^= flip
    with pytest.raises(HashpactError):
        judge(usual_facts(held=None), bytes(note), None)


@pytest.mark.parametrize(
    ("age", "stale"),
    [(0, False), (-300, False), (-301, True), (6 * 3600, False), (6 * 3600 + 1, True)],
)
def test_stale(age: int, stale: bool) -> None:  # noqa: FBT001 - a parameter of the table above
    assert is_stale(NOW - age, moment(NOW)) is stale


def test_stale_without_any_cosignature_and_by_local_policy() -> None:
    assert is_stale(None, moment(NOW))
    assert is_stale(NOW - 11, moment(NOW), stale_after_seconds=10)
    assert is_stale(NOW - 10, moment(NOW) + timedelta(milliseconds=1), stale_after_seconds=10)


def test_the_log_key_of_the_vectors_is_the_one_that_is_trusted() -> None:
    assert log_trust(usual_facts()["trust"]).keys == (VerifierKey.parse(KEY.vkey),)
