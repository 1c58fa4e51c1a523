"""Ask a peer's witness (C2SP tlog-witness): for cosignatures, and for the checkpoints that it has cosigned."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from hashpact_node.net.decode import decode_body
from hashpact_node.net.fetcher import Answer, Fetcher
from hashpact_node.net.peer_logs import CARD_HEADER
from hashpact_node.net.peer_status import status_error
from hashpact_protocol.limits import LIMITS
from hashpact_protocol.witness import ANSWER_MAX_BYTES, parse_size_answer

ADD_CHECKPOINT_SECONDS = 1.0
CHECKPOINT_SECONDS = 15.0
BODY_MEDIA_TYPE = "text/plain; charset=utf-8"

_MEND = "ask the member whether its node follows this log"


@dataclass(frozen=True, slots=True)
class Lines:
    """The signature lines that a witness answered with, as they came: nothing is read or verified yet."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Behind:
    """The proof did not start from the ``size`` that the witness has cosigned last."""

    size: int


class PeerWitness:
    """Asks the witness of one peer, found at ``{member url}/witness``; may be shared by threads."""

    def __init__(self, fetcher: Fetcher, member_url: str) -> None:
        self._fetcher = fetcher
        self._url = f"{member_url}/witness"

    def add_checkpoint(
        self, body: bytes, *, deadline_seconds: float = ADD_CHECKPOINT_SECONDS, card: int | None = None
    ) -> Lines | Behind:
        """Send a checkpoint, and give what the witness says; ``card`` is the version of our card, to hint at it.

        Raises FetchStatusError for any status but 200 and 409, ProofError for a 409 without a size, and the Fetcher's
        errors, FetchTimeoutError among them.
        """
        url = f"{self._url}/add-checkpoint"
        hint = {} if card is None else {CARD_HEADER: str(card)}
        answer = self._fetcher.post(
            url,
            body,
            max_bytes=ANSWER_MAX_BYTES,
            deadline_seconds=deadline_seconds,
            headers={"content-type": BODY_MEDIA_TYPE, "accept-encoding": "identity", **hint},
        )
        if answer.status == HTTPStatus.CONFLICT:
            return Behind(parse_size_answer(_body(answer, url)))
        if answer.status != HTTPStatus.OK:
            raise status_error(answer, url, who="witness", mend=_MEND)
        return Lines(_body(answer, url))

    def checkpoint(self, origin_hash: str, *, deadline_seconds: float = CHECKPOINT_SECONDS) -> bytes | None:
        """Give the checkpoint that the witness has cosigned last of a log; None where it has cosigned none (404).

        ``origin_hash`` is the lower-case hex SHA-256 of the origin (``hashpact_protocol.witness.origin_hash``). Nothing
        is verified. Raises FetchStatusError for any status but 200 and 404, and the Fetcher's errors.
        """
        url = f"{self._url}/{origin_hash}/checkpoint"
        answer = self._fetcher.get(
            url,
            max_bytes=LIMITS.note_max_bytes,
            deadline_seconds=deadline_seconds,
            headers={"accept-encoding": "identity"},
        )
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        if answer.status != HTTPStatus.OK:
            raise status_error(answer, url, who="witness", mend=_MEND)
        return _body(answer, url)


def _body(answer: Answer, url: str) -> bytes:
    encoding = answer.headers.get("content-encoding")
    return decode_body(answer.body, encoding, max_bytes=LIMITS.note_max_bytes, where=url)
