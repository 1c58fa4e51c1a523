"""The checkpoint that a log shows."""

from __future__ import annotations

from dataclasses import dataclass

from hashpact_conformance.publisher.site import Answer, Site
from hashpact_protocol.card_logs import CardLog
from hashpact_protocol.errors import HashpactError
from hashpact_protocol.follow import Head
from hashpact_protocol.notes import Checkpoint, Note, parse_checkpoint, parse_note


@dataclass(frozen=True)
class Shown:
    """A log and the checkpoint that it shows, parsed and not verified."""

    log: CardLog
    answer: Answer
    note: Note
    checkpoint: Checkpoint

    @property
    def head(self) -> Head:
        """Size and root."""
        return Head(self.checkpoint.size, self.checkpoint.root)


def show(site: Site, log: CardLog) -> Shown:
    """Read the checkpoint of a log; a case fails over one that is none."""
    answer = site.get(f"{log.url}/checkpoint").ok()
    try:
        note = parse_note(answer.body)
        return Shown(log, answer, note, parse_checkpoint(note.text))
    except HashpactError as error:
        raise AssertionError(f"{answer.url} is no checkpoint: {error}") from error
