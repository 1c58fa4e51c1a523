"""Who may ask this node for what is not public: its peers, by requests that they have signed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from hashpact_node.net.rates import Budgets
from hashpact_node.services.log_trust import card_of
from hashpact_node.services.trusting import TRUST_HINT_INTERVAL
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.doorbells import ring
from hashpact_node.store.logs import list_logs
from hashpact_node.store.nonces import forget_nonces, remember_nonce
from hashpact_node.store.peers import ACTIVE, FOLLOWED, CardHolder, find_card_holder
from hashpact_protocol.errors import SignatureError
from hashpact_protocol.names import MemberUrl
from hashpact_protocol.requests import SignedRequest, check_request

FORGET_EVERY_SECONDS = 60
"""How often each process looks for nonces that nobody needs any more; each time costs more than one to remember."""


@dataclass(slots=True)
class Doorkeeper:
    """Checks who signed a request; may be shared by threads, and by processes on one database.

    ``url`` is this member's own: requests are checked against it, never against what they say of it. ``on_hint`` is
    called when a member's card may be newer than the one here.
    """

    database: Database
    url: MemberUrl
    now: Callable[[], datetime]
    on_hint: Callable[[], None] = lambda: None
    hints: Budgets = field(
        default_factory=lambda: Budgets(per_second=1 / TRUST_HINT_INTERVAL.total_seconds(), burst=1), repr=False
    )
    _forgot_at: int = field(default=0, init=False, repr=False)
    _hinted: list[tuple[CardHolder, int]] = field(default_factory=list, init=False, repr=False)

    def check(self, method: str, target: str, headers: Iterable[tuple[str, str]], body: bytes) -> SignedRequest:
        """Give who signed a request for ``target``, a path below our URL with its query; nothing is written.

        Raises SignatureError when nobody did whose requests are answered; StoreError.
        """
        now = self.now()
        return check_request(
            method,
            f"{self.url}{target}",
            headers,
            body,
            keys=lambda member, key_id: self._key(member, key_id, now),
            now=int(now.timestamp()),
        )

    def remember(self, found: SignedRequest) -> None:
        """Remember that a request came that may come once only; SignatureError when it did before, StoreError."""
        if found.nonce is None:
            return
        now = int(self.now().timestamp())
        with self.database.write() as connection:
            if abs(now - self._forgot_at) >= FORGET_EVERY_SECONDS:
                forget_nonces(connection, now=now)
                self._forgot_at = now
            new = remember_nonce(connection, found.member, found.nonce, forget_at=found.forget_at)
        if not new:
            raise SignatureError("this request was sent before", mend="sign each one anew, with a new nonce")

    @property
    def has_hints(self) -> bool:
        """Whether a member used a key that its card here does not name, and its card should be looked for."""
        return bool(self._hinted)

    def give_hints(self) -> None:
        """Let the cards be looked for that may name keys that were used; StoreError."""
        while self._hinted:
            try:
                peer, version = self._hinted.pop()
            except IndexError:  # another thread gave it
                return
            with self.database.write() as connection:
                asked = _ring(connection, peer, version, int(self.now().timestamp() * 1_000))
            if asked:
                self.on_hint()

    def _key(self, member: str, key_id: str, now: datetime) -> bytes | None:
        with self.database.read() as connection:
            peer = find_card_holder(connection, member)
        if peer is None or peer.state not in FOLLOWED or peer.card is None or peer.card_version is None:
            return None
        for one in card_of(peer).request_keys:
            if one.id == key_id:
                return one.public if one.valid_from <= now <= one.valid_until else None
        self._hint(peer, peer.card_version)
        return None

    def _hint(self, peer: CardHolder, version: int) -> None:
        """Note that a member's card may name the key that was used, now and then; whoever checks writes nothing."""
        if not (peer.own or peer.state != ACTIVE or self.hints.spend(peer.member)):
            self._hinted.append((peer, version))


def _ring(connection: Connection, peer: CardHolder, version: int, due_ms: int) -> bool:
    logs = [log for log in list_logs(connection, peer=peer.number) if log.named and log.state == "open"]
    for log in logs[:1]:
        ring(connection, log.number, size=0, due_ms=due_ms, card=version + 1)
    return bool(logs)
