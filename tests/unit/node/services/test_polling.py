from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from follower import Follower
from hashpact_protocol.errors import (
    EntriesError,
    FetchStatusError,
    ForkError,
    HashpactError,
    NoteError,
    SignatureError,
    VerificationError,
)
from hashpact_protocol.follow import Verdict
from hashpact_protocol.merkle import EMPTY_ROOT
from hashpact_protocol.notes import KeyType, VerifierKey, cosignature, cosignature_message, parse_note
from members import listing, sha256
from publisher import Publisher, gone, login_page, says
from vectors.signers import Signer

CHECKPOINT = "checkpoint"
ENTRIES = "tile/entries"


@pytest.fixture
def reader(sqlite_follower: Follower, publisher: Publisher) -> Follower:
    """Acme, which holds the first three listings of the publisher."""
    publisher.log.append(*(listing(number, sha256(number)) for number in range(3)))
    sqlite_follower.add(publisher)
    assert sqlite_follower.pull(publisher) == []
    assert sqlite_follower.live(publisher) == [0, 1, 2]
    publisher.forget()
    return sqlite_follower


def grow(publisher: Publisher, *numbers: int) -> None:
    publisher.log.append(*(listing(number, sha256(number)) for number in numbers))


def refused(reader: Follower, publisher: Publisher, kind: type[HashpactError], words: str) -> HashpactError:
    """Pull, expect this error, and that what was held is held."""
    before = reader.log(publisher)
    digest = reader.digest()
    (error,) = reader.pull(publisher)
    assert type(error) is kind, error
    assert words in str(error)
    after = reader.log(publisher)
    assert (after.held_size, after.held_range) == (before.held_size, before.held_range)
    assert (after.accepted_size, after.accepted_root) == (before.accepted_size, before.accepted_root)
    assert reader.digest() == digest
    alarm = reader.alarms()[error.code]
    assert error.what in alarm.what
    assert reader.peer().last_error == {"code": error.code, "what": error.what} | {
        key: value for key, value in (("where", error.where), ("mend", error.mend)) if value
    }
    return error


def recovers(reader: Follower, publisher: Publisher, *, size: int) -> None:
    publisher.mend()
    assert reader.pull(publisher) == []
    assert reader.held(publisher) == size
    assert reader.peer().last_error is None


def test_an_empty_log_is_read(sqlite_follower: Follower, publisher: Publisher) -> None:
    sqlite_follower.add(publisher)
    assert sqlite_follower.pull(publisher) == []
    log = sqlite_follower.log(publisher)
    assert (log.accepted_size, log.accepted_root, log.accepted_note) == (0, EMPTY_ROOT, publisher.note())
    grow(publisher, 1)
    assert sqlite_follower.pull(publisher) == []
    assert sqlite_follower.live(publisher) == [0]


def test_a_poll_without_news_is_one_request(reader: Follower, publisher: Publisher) -> None:
    publisher.log.shown = 3
    pulled = reader.pulled(publisher)
    (asked,) = publisher.asked
    assert asked.path == "logs/listings-1/checkpoint"
    assert asked.headers["if-none-match"].startswith('"')
    assert (pulled.requests, pulled.bytes) == (1, 0)
    assert [polled.verdict for polled in pulled.logs] == [Verdict.NO_NEWS]
    assert reader.log(publisher).etag == asked.headers["if-none-match"]


def test_a_new_cosignature_is_taken_up_without_reading_entries(reader: Follower, publisher: Publisher) -> None:
    publisher.now += timedelta(minutes=5)
    reader.later(minutes=5)
    assert reader.pull(publisher) == []
    assert publisher.paths() == ["logs/listings-1/checkpoint"]
    log = reader.log(publisher)
    assert log.accepted_note == publisher.note()
    assert log.own_cosigned_at == int(publisher.now.timestamp())


WRONG_CHECKPOINTS: list[tuple[Callable[[Publisher], bytes], type[HashpactError], str]] = [
    (lambda p: p.note(root=bytes(32)), ForkError, "two roots at size 3"),
    (lambda p: p.note(size=4, root=bytes(32)), FetchStatusError, "404"),
    (lambda p: p.note(origin="127.0.0.1:1/logs/listings-1"), VerificationError, "of the log"),
    (lambda p: p.note(keys=[Ed25519PrivateKey.generate()]), SignatureError, "no key that the card names"),
    (lambda p: p.note(size=2**32 + 1, root=bytes(32)), VerificationError, "4294967297 entries is refused"),
    (lambda p: p.note(size=2**33, root=bytes(32)), VerificationError, "8589934592 entries is refused"),
    (lambda p: p.note(size=0, root=bytes(32)), VerificationError, "not that of an empty log"),
    (lambda p: p.note(size=2, root=bytes(32)), ForkError, "two roots at size 2"),
    (lambda p: p.note()[:-1], NoteError, ""),
    (lambda p: p.note().replace(b"\n3\n", b"\n03\n"), NoteError, ""),
    (lambda _: b"", NoteError, ""),
    (lambda _: b"\xff" * 100, NoteError, ""),
]


def test_a_wrong_checkpoint_is_refused(reader: Follower, publisher: Publisher) -> None:
    for note, kind, words in WRONG_CHECKPOINTS:
        publisher.alter(CHECKPOINT, says(note(publisher)))
        for path in (f"{ENTRIES}/000.p/4", f"{ENTRIES}/000"):
            publisher.alter(path, gone)
        refused(reader, publisher, kind, words)
        recovers(reader, publisher, size=3)


def test_a_root_that_the_entries_do_not_have_is_refused(reader: Follower, publisher: Publisher) -> None:
    grow(publisher, 3)
    publisher.alter(CHECKPOINT, says(publisher.note(root=bytes(32))))
    refused(reader, publisher, EntriesError, "hash to the checkpoint's root")
    recovers(reader, publisher, size=4)
    assert "entries-mismatch" not in reader.alarms()


def test_a_login_page_everywhere_is_a_clean_error(reader: Follower, publisher: Publisher) -> None:
    for path in (CHECKPOINT, "/trust/metadata/timestamp.json", "/trust/metadata/2.root.json"):
        publisher.alter(path, login_page)
    refused(reader, publisher, NoteError, "")
    reader.later(hours=2)
    (error,) = reader.pull(publisher)
    assert type(error) is NoteError
    assert "trust-repository" in reader.alarms()
    recovers(reader, publisher, size=3)
    reader.later(hours=2)
    assert reader.pull(publisher) == []
    assert not reader.alarms().keys() & {"trust-repository", "note-malformed"}


def test_a_smaller_size_whose_root_is_ours_is_an_old_answer(reader: Follower, publisher: Publisher) -> None:
    publisher.log.shown = 2
    pulled = reader.pulled(publisher)
    assert pulled.errors == []
    assert [polled.verdict for polled in pulled.logs] == [Verdict.OLD_ANSWER]
    assert reader.held(publisher) == 3
    assert reader.log(publisher).accepted_size == 3
    assert reader.log(publisher).etag is None
    assert "old-answer-seen" in reader.alarms()
    assert "old-answer" not in reader.alarms()
    publisher.log.shown = None
    assert reader.pull(publisher) == []
    assert not reader.alarms().keys() & {"old-answer-seen", "old-answer"}


def test_an_old_answer_that_lasts_is_an_alarm(reader: Follower, publisher: Publisher) -> None:
    publisher.log.shown = 2
    for hours in (0, 3, 2.99, 0.02):
        assert "old-answer" not in reader.alarms()
        reader.later(hours=hours)
        publisher.now = reader.now()
        publisher.renew()
        assert reader.pull(publisher) == []
    assert "2" in reader.alarms()["old-answer"].what
    publisher.log.shown = None
    assert reader.pull(publisher) == []
    assert "old-answer" not in reader.alarms()
    publisher.log.shown = 2
    assert reader.pull(publisher) == []
    assert "old-answer" not in reader.alarms(), "it begins anew"


def test_the_same_size_with_another_root_is_proof_that_stays(reader: Follower, publisher: Publisher) -> None:
    ours, theirs = reader.log(publisher).accepted_note, publisher.note(root=bytes(range(32)))
    assert ours is not None
    publisher.alter(CHECKPOINT, says(theirs))
    error = refused(reader, publisher, ForkError, "two roots at size 3")
    assert isinstance(error, ForkError)
    assert error.evidence == (ours, theirs)
    evidence = reader.alarms()["log-forked"].evidence
    assert evidence is not None
    assert [base64.b64decode(note) for note in json.loads(evidence)["notes"]] == [ours, theirs]
    grow(publisher, 3)
    recovers(reader, publisher, size=4)
    assert reader.alarms()["log-forked"].evidence == evidence


def test_a_log_without_a_fresh_cosignature_is_stale_and_stays(reader: Follower, publisher: Publisher) -> None:
    reader.later(hours=5, minutes=59)
    publisher.renew()
    assert reader.pull(publisher) == []
    assert "log-stale" not in reader.alarms()
    reader.later(minutes=2)
    assert reader.pull(publisher) == []
    assert "log-stale" in reader.alarms()
    assert reader.held(publisher) == 3
    publisher.now = reader.now() + timedelta(minutes=6)  # ahead beyond the skew
    assert reader.pull(publisher) == []
    assert "log-stale" in reader.alarms()
    publisher.now = reader.now()
    assert reader.pull(publisher) == []
    assert "log-stale" not in reader.alarms()


def test_too_few_cosignatures_wait(reader: Follower, publisher: Publisher) -> None:
    grow(publisher, 3)
    careful = reader.make_puller(require_witnesses=1)
    pulled = careful.pull(publisher.member)
    assert [polled.verdict for polled in pulled.logs] == [Verdict.WAITING]
    assert reader.held(publisher) == 3
    assert "waits for cosignatures of 1" in reader.alarms()["cosignatures-missing"].what
    assert reader.pull(publisher) == []
    assert reader.held(publisher) == 4
    assert "cosignatures-missing" not in reader.alarms()


def test_the_quorum_of_a_policy_may_be_met_by_who_is_no_member(
    reader: Follower, publisher: Publisher, tmp_path: Path
) -> None:
    """The publisher's own key stands in the policy, too, and does not count; a strange key does no harm."""
    outsider = Ed25519PrivateKey.generate()
    key = VerifierKey("witness.example", KeyType.COSIGNATURE, outsider.public_key().public_bytes_raw())
    policy = tmp_path / "witness.policy"
    policy.write_text(
        f"witness own {publisher.witness_key}\nwitness out {key}\nwitness pq {Signer('pq.example', 0x06).vkey}\n"
        "group any-one 1 own out pq\nquorum any-one\n"
    )
    grow(publisher, 3)
    careful = reader.make_puller(require_witnesses=policy)
    assert [polled.verdict for polled in careful.pull(publisher.member).logs] == [Verdict.WAITING]
    assert reader.held(publisher) == 3
    assert "waits for cosignatures of the policy's quorum" in reader.alarms()["cosignatures-missing"].what

    text = parse_note(publisher.note()).text
    line = cosignature(key, 5, outsider.sign(cosignature_message(text, 5)))
    publisher.alter(CHECKPOINT, says(publisher.note(more=[line])))
    policy.unlink()  # it was read at the start
    pulled = careful.pull(publisher.member)
    assert (pulled.errors, [polled.verdict for polled in pulled.logs]) == ([], [Verdict.GROWN])
    assert reader.held(publisher) == 4
    assert "cosignatures-missing" not in reader.alarms()


def test_a_closed_log_is_read_up_to_its_final_size(sqlite_follower: Follower, publisher: Publisher) -> None:
    grow(publisher, 0, 1, 2)
    publisher.log.close(2)
    publisher.publish()
    sqlite_follower.add(publisher)
    assert sqlite_follower.pull(publisher) == []
    log = sqlite_follower.log(publisher)
    assert (sqlite_follower.held(publisher), log.accepted_size, log.accepted_note) == (2, 2, None)
    publisher.forget()
    assert sqlite_follower.pull(publisher) == []
    assert publisher.asked == []


def test_a_log_that_is_closed_later_is_read_to_its_end(reader: Follower, publisher: Publisher) -> None:
    grow(publisher, 3, 4)
    publisher.log.close()
    successor = publisher.add_log("listings-2")
    successor.append(listing(9, sha256(9)))
    publisher.now += timedelta(minutes=2)
    reader.later(minutes=2)
    publisher.publish()
    assert reader.pull(publisher) == [], "the 410 made it look at the card"
    assert reader.held(publisher) == 5
    assert reader.log(publisher, "listings-2").held_size == 1
    assert not reader.alarms().keys() & {"fetch-status"}
    publisher.forget()
    assert reader.pull(publisher) == []
    assert publisher.paths("/") == ["logs/listings-2/checkpoint"]


@pytest.mark.parametrize("size", [2, 3])
def test_a_final_that_is_not_ours_is_refused(reader: Follower, publisher: Publisher, size: int) -> None:
    publisher.log.close(size, root=bytes(32))
    publisher.publish()
    reader.later(hours=2)
    publisher.alter(f"{ENTRIES}/000.p/{size}", lambda honest: honest)
    publisher.alter(f"tile/0/000.p/{size}", lambda honest: honest)
    refused(reader, publisher, EntriesError, "hash to the checkpoint's root")


def test_a_closed_log_that_was_cut_off_is_read_on(
    sqlite_follower: Follower, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hashpact_node.services.catch_up.ENTRIES_ALONE", 10)
    grow(publisher, *range(300))
    publisher.log.close()
    publisher.publish()
    sqlite_follower.add(publisher)
    publisher.alter(f"{ENTRIES}/001.p/44", gone)
    publisher.alter(f"{ENTRIES}/001", gone)
    assert [type(error) for error in sqlite_follower.pull(publisher)] == [FetchStatusError]
    assert sqlite_follower.log(publisher).accepted_size == 300
    publisher.mend()
    assert sqlite_follower.pull(publisher) == []
    assert sqlite_follower.held(publisher) == 300


def test_a_reopened_log_goes_on_where_it_was(reader: Follower, publisher: Publisher) -> None:
    grow(publisher, 3)
    publisher.log.close()
    publisher.publish()
    reader.later(hours=2)
    publisher.now = reader.now()
    assert reader.pull(publisher) == []
    publisher.log.final = None
    publisher.log.shown = 2
    publisher.publish()
    reader.later(hours=2)
    assert [polled.verdict for polled in reader.pulled(publisher).logs] == [Verdict.OLD_ANSWER]
    assert "log-reopened" in reader.alarms()
    publisher.log.shown = None
    grow(publisher, 4)
    assert reader.pull(publisher) == []
    assert reader.held(publisher) == 5
