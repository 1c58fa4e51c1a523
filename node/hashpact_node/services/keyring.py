"""The keys that this node may call, by row: where they are, their signers, and the names that the card gives them.

A row may have several keys while one replaces another. Which of them count is said by the card and the root alone; the
configuration says no more than where they are found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from hashpact_keys.ceremony_draft import Draft
from hashpact_keys.keystore import KeyStore
from hashpact_keys.rows import RowName, row_of_log
from hashpact_keys.signers import NoteSigner, TrustSigner, open_note_signer, open_trust_signer
from hashpact_node.store.logs import Log
from hashpact_protocol.card import Card
from hashpact_protocol.errors import ConfigurationError, KeyUnavailableError
from hashpact_protocol.notes import KeyType, VerifierKey

SignerT = TypeVar("SignerT")


@dataclass(slots=True)
class Keyring:
    """Opens signers when they are first needed, and keeps them.

    ``uris`` says where the keys of each row live; it may be a view that changes while the node runs.
    """

    keystore: KeyStore
    uris: Mapping[str, tuple[str, ...]]
    elsewhere: Callable[[Draft], Draft] | None = None
    """Lets people with targets keys elsewhere sign the draft of a card, and waits for them."""
    _notes: dict[str, NoteSigner] = field(default_factory=dict, init=False, repr=False)

    def uris_of(self, row: RowName) -> tuple[str, ...]:
        """Give the URIs of a row's keys, at least one; ConfigurationError where none is configured."""
        found = self.uris.get(row.value, ())
        if not found:
            raise ConfigurationError(
                f"no key is configured for the row {row.value}",
                where="node.toml",
                mend=f'write it under [keys], for example {row.value} = "file:keys/{row.value}.key"',
            )
        return found

    def note_signers(self, row: RowName) -> tuple[NoteSigner, ...]:
        """Give the signers of a note row that can be had, at least one.

        Raises ConfigurationError and KeyUnavailableError of the first when none can: while a key is replaced, the other
        one goes on alone, and ``keys check`` tells of what is missing.
        """
        return self._open(row, self.signer_at)

    def note_signer(self, row: RowName) -> NoteSigner:
        """Give the first signer of a note row that can be had; raises what ``note_signers`` raises."""
        return self.note_signers(row)[0]

    def trust_signers(self, row: RowName) -> tuple[TrustSigner, ...]:
        """Give the signers of a TUF row that can be had, at least one; raises what ``note_signers`` raises."""
        return self._open(row, lambda uri: open_trust_signer(uri, self.keystore))

    def log_keys(self, log: Log) -> tuple[tuple[VerifierKey, NoteSigner], ...]:
        """Give the keys that sign a log's checkpoints, under their name there: all that are here and the card names.

        ConfigurationError when there is none: readers would refuse what another signs.
        """
        row = row_of_log(log.kind)
        signers = self.log_signers(log.name, log.kind)
        pairs = ((VerifierKey(log.origin, KeyType.ED25519, one.public), one) for one in signers)
        named = tuple((key, signer) for key, signer in pairs if str(key) in log.keys)
        if not named:
            raise ConfigurationError(
                f"the card does not name the {row.value} key that this node has", where=log.origin, mend=_NOT_NAMED
            )
        return named

    def log_signers(self, name: str, kind: str) -> tuple[NoteSigner, ...]:
        """Give the signers of logs of a name, at least one: those of the row of their kind, or an audience's own.

        Raises what ``note_signers`` raises.
        """
        own = self.uris.get(name, ()) if name != kind else ()
        return tuple(map(self.signer_at, own)) if own else self.note_signers(row_of_log(kind))

    def witness_key(self, card: Card, now: datetime) -> tuple[VerifierKey, NoteSigner]:
        """Give the key of our cosignatures at a time, under the name that our card gives it.

        Of several that the card names, the one whose time began last: its time begins when every peer has read the card
        that first named it. ConfigurationError if there is none.
        """
        signers = {one.public: one for one in self.note_signers(RowName.WITNESS)}
        ours = [one for one in card.witness_keys if one.key.public in signers]
        if not ours:
            raise ConfigurationError(
                "the card does not name the witness key that this node has", where=card.url, mend=_NOT_NAMED
            )
        valid = [one for one in ours if one.valid_from <= now <= one.valid_until]
        chosen = max(valid or ours, key=lambda one: one.valid_from)
        return chosen.key, signers[chosen.key.public]

    def opened(self) -> dict[str, bytes]:
        """Give the public keys of the note signers that are open already, by URI; nothing is opened for it."""
        return {uri: signer.public for uri, signer in dict(self._notes).items()}

    def signer_at(self, uri: str) -> NoteSigner:
        """Give the signer of notes that a URI names; raises ConfigurationError and KeyUnavailableError."""
        signer = self._notes.get(uri)
        if signer is None:
            signer = self._notes[uri] = open_note_signer(uri, self.keystore)
        return signer

    def _open(self, row: RowName, opener: Callable[[str], SignerT]) -> tuple[SignerT, ...]:
        signers: list[SignerT] = []
        failures: list[ConfigurationError | KeyUnavailableError] = []
        for uri in self.uris_of(row):
            try:
                signers.append(opener(uri))
            except (ConfigurationError, KeyUnavailableError) as error:
                failures.append(error)
        if not signers:
            raise failures[0]
        return tuple(signers)


_NOT_NAMED = "restore the key file that belongs to the card, or publish a card that names this one"
