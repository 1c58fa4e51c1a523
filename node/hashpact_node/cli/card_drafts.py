"""Cards that are signed elsewhere: a command writes a draft, and waits until its signatures have come back.

Nothing is in force before, and the command holds the locks of what it is about to change: what is published meanwhile
waits for it. Whoever stops it has changed nothing.
"""

# ruff: noqa: PLC0415  heavy parts are imported where they are needed, so that help and mistakes are quick
from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from hashpact_node.cli.output import note, waiting
from hashpact_protocol.errors import HashpactError, KeyUnavailableError, RequestError

if TYPE_CHECKING:
    from hashpact_keys.ceremony_draft import Draft
    from hashpact_node.assembly import Node

WAIT_SECONDS: Final = 3_600.0
LOOK_SECONDS: Final = 0.5

DraftOption = Annotated[
    Path | None,
    typer.Option(
        "--draft",
        metavar="FILE",
        help="The targets key is elsewhere: write the new card there as a draft, and wait, an hour at most, until it "
        "is signed (`hashpact keys ceremony sign`).",
    ),
]


@dataclass(frozen=True, slots=True)
class SignedElsewhere:
    """Writes drafts to ``path`` and waits for the same draft with enough signatures there."""

    path: Path
    wait_seconds: float = WAIT_SECONDS

    def __call__(self, draft: Draft) -> Draft:
        """Give the draft as it came back; RequestError for a file that exists, KeyUnavailableError in the end.

        What comes back and is another draft, or spoilt, is told and waited out: the right one may still come.
        """
        from hashpact_keys.ceremony import lacking
        from hashpact_keys.ceremony_draft import encode_draft
        from hashpact_keys.ceremony_words import changes_in_words, digest_in_groups
        from hashpact_node import clock
        from hashpact_node.cli.files import text_output

        if self.path.exists():
            raise RequestError("this file exists already", where=str(self.path), mend="give the draft another name")
        with text_output(self.path) as output:
            output.write(encode_draft(draft).decode())
        for line in changes_in_words(draft):
            note(line)
        note(f"digest: {digest_in_groups(draft.digest)}")
        note(f"Waiting for signatures in {self.path}; bring it back there. Ctrl-C changes nothing.")
        told, end = "", clock.monotonic() + self.wait_seconds
        while clock.monotonic() < end:
            found, trouble = self._look(draft)
            if found is not None and not lacking(found):
                return found
            if trouble not in {"", told}:
                note(trouble)
            told = trouble
            time.sleep(LOOK_SECONDS)
        raise KeyUnavailableError(
            "the signatures did not come in time, so nothing has changed",
            where=str(self.path),
            mend="run the command again, and have whoever signs at hand",
        )

    def _look(self, draft: Draft) -> tuple[Draft | None, str]:
        from hashpact_keys.ceremony_draft import parse_draft
        from hashpact_node.cli.files import read_input

        try:
            found = parse_draft(read_input(self.path), where=str(self.path))
        except HashpactError as error:
            return None, f"what is there is not the signed draft: {error}"
        if found.digest != draft.digest:
            return None, f"{self.path} holds another draft; bring back the one that was written by this command"
        return found, ""


@contextmanager
def signing(node: Node, draft: Path | None) -> Iterator[None]:
    """Do what signs a new card: with the targets key that is at hand or, by a draft, with those that are elsewhere."""
    if draft is not None:
        node.keyring.elsewhere = SignedElsewhere(draft)
        yield
        return
    with waiting("signing a new card…"):
        yield
