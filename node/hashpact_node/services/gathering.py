"""Gather cosignatures for a checkpoint from those who may have given them: its readers' witnesses."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import structlog

from hashpact_node.net.fetcher import Fetcher
from hashpact_node.net.peer_witness import PeerWitness
from hashpact_node.services.log_trust import active_cards
from hashpact_node.store.database import Database
from hashpact_protocol.errors import HashpactError, SignatureError
from hashpact_protocol.limits import LIMITS
from hashpact_protocol.notes import Note, NoteSignature, VerifierKey, cosignatures, format_note, parse_note
from hashpact_protocol.witness import origin_hash

SECONDS_A_PEER: Final = 3.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Gatherer:
    """Asks active peers, one after another."""

    database: Database
    fetcher: Fetcher

    def gather(self, origin: str, note: bytes) -> bytes:
        """Give a checkpoint with the right cosignatures that peers show of the very same one, at most 16 signatures.

        Whoever does not answer within 3 s, shows another size, or signed wrongly is left out. Raises StoreError.
        """
        with self.database.read() as connection:
            peers = active_cards(connection)
        gathered = parse_note(note)
        for peer, card in peers:
            if len(gathered.signatures) >= LIMITS.note_signatures_max:
                break
            keys = [witness.key for witness in card.witness_keys]
            gathered = _with(gathered, self._lines(peer.url, origin, gathered.text, keys))
        return format_note(gathered)

    def _lines(self, url: str, origin: str, text: bytes, keys: Iterable[VerifierKey]) -> list[NoteSignature]:
        """Give the lines by these keys that one peer shows below this very text."""
        try:
            shown = PeerWitness(self.fetcher, url).checkpoint(origin_hash(origin), deadline_seconds=SECONDS_A_PEER)
            note = None if shown is None else parse_note(shown)
        except HashpactError as error:
            log.info("a peer gave no cosignature", url=url, origin=origin, error=str(error))
            return []
        if note is None or note.text != text:
            return []
        return [line for line in note.signatures if _is_right(text, line, keys)]


def _is_right(text: bytes, line: NoteSignature, keys: Iterable[VerifierKey]) -> bool:
    try:
        return bool(cosignatures(Note(text, (line,)), keys))
    except SignatureError:
        return False


def _with(note: Note, lines: Iterable[NoteSignature]) -> Note:
    """Add lines by keys that have not signed yet."""
    signed = {(line.name, line.key_id) for line in note.signatures}
    new = [line for line in lines if (line.name, line.key_id) not in signed]
    return Note(note.text, (*note.signatures, *new)[: LIMITS.note_signatures_max])
