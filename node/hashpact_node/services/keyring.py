"""The keys that this node may call, by row: which URI, which signer, and the names that the card gives them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hashpact_keys.keystore import KeyStore
from hashpact_keys.rows import RowName, row_of_log
from hashpact_keys.signers import NoteSigner, TrustSigner, open_note_signer, open_trust_signer
from hashpact_node.store.logs import Log
from hashpact_protocol.card import Card
from hashpact_protocol.errors import ConfigurationError
from hashpact_protocol.notes import KeyType, VerifierKey


@dataclass(slots=True)
class Keyring:
    """Opens signers when they are first needed, and keeps them; ``uris`` says where the key of each row lives."""

    keystore: KeyStore
    uris: Mapping[str, str]
    _notes: dict[RowName, NoteSigner] = field(default_factory=dict, init=False, repr=False)

    def uri(self, row: RowName) -> str:
        """Give the URI of a row's key; ConfigurationError where none is configured."""
        found = self.uris.get(row.value)
        if found is None:
            raise ConfigurationError(
                f"no key is configured for the row {row.value}",
                where="node.toml",
                mend=f'write it under [keys], for example {row.value} = "file:keys/{row.value}.key"',
            )
        return found

    def note_signer(self, row: RowName) -> NoteSigner:
        """Give the signer of a note row; raises ConfigurationError and KeyUnavailableError."""
        signer = self._notes.get(row)
        if signer is None:
            signer = self._notes[row] = open_note_signer(self.uri(row), self.keystore)
        return signer

    def trust_signer(self, row: RowName) -> TrustSigner:
        """Give the signer of a TUF row; raises ConfigurationError and KeyUnavailableError."""
        return open_trust_signer(self.uri(row), self.keystore)

    def log_key(self, log: Log) -> tuple[VerifierKey, NoteSigner]:
        """Give the key that signs a log's checkpoints, under its name there.

        ConfigurationError when the card does not name it: readers would refuse what it signs.
        """
        row = row_of_log(log.kind)
        signer = self.note_signer(row)
        key = VerifierKey(log.origin, KeyType.ED25519, signer.public)
        if str(key) not in log.keys:
            raise ConfigurationError(
                f"the card does not name the {row.value} key that this node has", where=log.origin, mend=_NOT_NAMED
            )
        return key, signer

    def witness_key(self, card: Card) -> tuple[VerifierKey, NoteSigner]:
        """Give the key of our cosignatures, under the name that our card gives it; ConfigurationError if none."""
        signer = self.note_signer(RowName.WITNESS)
        for witness in card.witness_keys:
            if witness.key.public == signer.public:
                return witness.key, signer
        raise ConfigurationError(
            "the card does not name the witness key that this node has", where=card.url, mend=_NOT_NAMED
        )


_NOT_NAMED = "restore the key file that belongs to the card, or publish a card that names this one"
