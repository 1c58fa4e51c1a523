"""How this node signs what it asks of its peers: by the request key that its card names for now."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from hashpact_keys.rows import RowName
from hashpact_keys.signers import NoteSigner
from hashpact_node import clock
from hashpact_node.services.keyring import Keyring
from hashpact_node.services.views import own_card
from hashpact_node.store.database import Database
from hashpact_protocol.card import Card
from hashpact_protocol.errors import ConfigurationError
from hashpact_protocol.requests import sign_request

KNOWN_SECONDS: Final = 1.0
"""How long the key that was chosen is taken for the right one, without a look at the card."""

NONCE_BYTES: Final = 18


@dataclass(frozen=True, slots=True)
class _Chosen:
    member: str
    key_id: str
    signer: NoteSigner
    until: float


@dataclass(slots=True)
class Credentials:
    """Signs requests; may be shared by threads."""

    database: Database
    keyring: Keyring
    now: Callable[[], datetime]
    monotonic: Callable[[], float] = clock.monotonic
    _chosen: _Chosen | None = field(default=None, init=False, repr=False)
    _choosing: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def headers(self, method: str, url: str, body: bytes) -> Mapping[str, str]:
        """Give the header fields that sign a request (``hashpact_protocol.requests``).

        Raises ConfigurationError where the card names no key that is here and counts now, KeyUnavailableError, and
        StoreError.
        """
        chosen = self._choose()
        return sign_request(
            method,
            url,
            body,
            member=chosen.member,
            key_id=chosen.key_id,
            created=int(self.now().timestamp()),
            nonce=secrets.token_urlsafe(NONCE_BYTES),
            sign=chosen.signer.sign,
        )

    def _choose(self) -> _Chosen:
        """Of the keys that are here and count now, choose the one whose time began last."""
        chosen = self._chosen
        if chosen is not None and self.monotonic() < chosen.until:
            return chosen
        with self._choosing:
            with self.database.read() as connection:
                card = own_card(connection)
            key_id, signer = _newest(card, self.keyring.note_signers(RowName.REQUEST), self.now())
            self._chosen = _Chosen(card.member, key_id, signer, self.monotonic() + KNOWN_SECONDS)
            return self._chosen


def _newest(card: Card, signers: tuple[NoteSigner, ...], now: datetime) -> tuple[str, NoteSigner]:
    here = {one.public: one for one in signers}
    valid = [one for one in card.request_keys if one.public in here and one.valid_from <= now <= one.valid_until]
    if not valid:
        raise ConfigurationError(
            "the card names no request key that is here and counts now, so that no peer would answer",
            where=card.url,
            mend="see `hashpact keys status`; `hashpact keys rotate request` names a new one",
        )
    newest = max(valid, key=lambda one: one.valid_from)
    return newest.id, here[newest.public]
