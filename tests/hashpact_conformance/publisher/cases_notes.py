"""Notes: the checkpoints that are shown, and who signed them."""

from __future__ import annotations

from hashpact_conformance import clock
from hashpact_conformance.cases import Layer, case
from hashpact_conformance.publisher.shown import Shown, show
from hashpact_conformance.publisher.site import Site
from hashpact_protocol.card import Card
from hashpact_protocol.errors import HashpactError
from hashpact_protocol.follow import is_stale
from hashpact_protocol.limits import LIMITS
from hashpact_protocol.merkle import EMPTY_ROOT
from hashpact_protocol.notes import Cosigned, cosignatures, format_note, verify_note

RULE = "docs/protocol.md, Logs: checkpoints"
FRESH = "docs/protocol.md, Reading: judging a checkpoint"


def own(one: Shown, card: Card) -> list[Cosigned]:
    """The publisher's own cosignatures on a checkpoint; a wrong one fails the case."""
    try:
        return list(cosignatures(one.note, [key.key for key in card.witness_keys]))
    except HashpactError as error:
        raise AssertionError(f"the checkpoint of {one.log.origin} holds a wrong cosignature: {error}") from error


@case(Layer.NOTES, "Checkpoints are notes in their one spelling, of at most 16 384 bytes", RULE)
def test_form(shown: list[Shown]) -> None:
    for one in shown:
        assert len(one.answer.body) <= LIMITS.note_max_bytes
        assert format_note(one.note) == one.answer.body, f"the checkpoint of {one.log.origin} has another spelling"


@case(Layer.NOTES, "Checkpoints are of the log at whose address they are", RULE)
def test_origin(shown: list[Shown]) -> None:
    for one in shown:
        assert one.checkpoint.origin == one.log.origin, f"{one.answer.url} is a checkpoint of {one.checkpoint.origin}"


@case(Layer.NOTES, "A key that the card names for the log signed each checkpoint, and no line of it is wrong", RULE)
def test_signed(shown: list[Shown]) -> None:
    for one in shown:
        try:
            verify_note(one.note, one.log.keys)
        except HashpactError as error:
            raise AssertionError(f"the checkpoint of {one.log.origin}: {error}") from error


@case(Layer.NOTES, "Every key that the card names for a log signs it, so that rotation goes unnoticed (should)", RULE)
def test_all_keys_sign(shown: list[Shown]) -> None:
    for one in shown:
        signed = {line.key_id for line in one.note.signatures}
        missing = [str(key) for key in one.log.keys if key.key_id not in signed]
        assert not missing, f"the checkpoint of {one.log.origin} lacks signatures by {missing}"


@case(Layer.NOTES, "No line claims to be by a key of the card and is wrong", FRESH)
def test_no_wrong_line(shown: list[Shown], card: Card) -> None:
    keys = [key for log in card.logs for key in log.keys] + [key.key for key in card.witness_keys]
    for one in shown:
        try:
            verify_note(one.note, keys)
        except HashpactError as error:
            raise AssertionError(f"the checkpoint of {one.log.origin}: {error}") from error


@case(Layer.NOTES, "Checkpoints bear at most 16 signatures", RULE)
def test_signatures(shown: list[Shown]) -> None:
    for one in shown:
        assert len(one.note.signatures) <= LIMITS.note_signatures_max


@case(Layer.NOTES, "Checkpoints have no extension lines", RULE)
def test_extensions(shown: list[Shown]) -> None:
    for one in shown:
        assert not one.checkpoint.extensions, f"{one.log.origin} writes {one.checkpoint.extensions}"


@case(Layer.NOTES, "Sizes are at most 2^32, and an empty log has the empty tree's root", FRESH)
def test_sense(shown: list[Shown]) -> None:
    for one in shown:
        assert one.checkpoint.size <= LIMITS.log_max_entries
        assert one.checkpoint.size > 0 or one.checkpoint.root == EMPTY_ROOT, f"{one.log.origin} is empty with a root"


@case(Layer.NOTES, "The publisher cosigns its own checkpoints (should)", RULE)
def test_cosigned(shown: list[Shown], card: Card) -> None:
    for one in shown:
        assert own(one, card), f"{one.log.origin} has no cosignature of its own: readers see it as stale"


@case(Layer.NOTES, "Its own cosignature lies within the validity of its key", FRESH)
def test_cosigned_in_time(shown: list[Shown], card: Card) -> None:
    spans = {key.key: (key.valid_from.timestamp(), key.valid_until.timestamp()) for key in card.witness_keys}
    for one in shown:
        for cosigned in own(one, card):
            start, end = spans[cosigned.key]
            assert start <= cosigned.timestamp <= end, f"{one.log.origin} is cosigned at {cosigned.timestamp}"


@case(Layer.NOTES, "Its own cosignature is at most 6 hours old and not in the future", FRESH)
def test_fresh(shown: list[Shown], card: Card) -> None:
    for one in shown:
        newest = max((cosigned.timestamp for cosigned in own(one, card)), default=None)
        assert not is_stale(newest, clock.now()), f"{one.log.origin} is stale: cosigned last at {newest}"


@case(Layer.NOTES, "Looked at again, a log has not shrunk, and tells the same root for the same size", RULE)
def test_again(site: Site, shown: list[Shown]) -> None:
    for one in shown:
        later = show(site, one.log).checkpoint
        assert later.size >= one.checkpoint.size, f"{one.log.origin} shrank from {one.checkpoint.size} to {later.size}"
        same = later.size != one.checkpoint.size or later.root == one.checkpoint.root
        assert same, f"{one.log.origin} tells two roots for the size {later.size}"
