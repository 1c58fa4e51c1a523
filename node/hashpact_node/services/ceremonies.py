"""Ceremonies at the node: drafts made from the trust repository in force, and signed ones put into force."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from hashpact_keys.ceremony import (
    ROOT_EXPIRES,
    NamedKey,
    RowChange,
    finish_ceremony,
    lacking,
    sign_draft,
    start_card,
    start_ceremony,
)
from hashpact_keys.ceremony_draft import Draft
from hashpact_keys.public_keys import public_key
from hashpact_keys.rows import ROWS, TRUST_ROWS, RowName, TrustRole
from hashpact_keys.trust_checks import key_identity, load_root
from hashpact_keys.trust_files import newest, root_fingerprint
from hashpact_node.services.key_files import make_missing, next_place
from hashpact_node.services.key_places import KeyPlaces
from hashpact_node.services.keyring import Keyring
from hashpact_node.services.own_cards import own_trust
from hashpact_node.services.taking import take_own_card
from hashpact_node.store.database import Database
from hashpact_node.store.locks import Locks
from hashpact_protocol.card import encode_card
from hashpact_protocol.errors import ConfigurationError, KeyUnavailableError, RequestError, StoreMovedError, TrustError

LOCK_WAIT_SECONDS = 120.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PutInForce:
    """What a ceremony came to: the newest root's fingerprint, the card's version, and key lines that count no more."""

    fingerprint: str
    card: int
    dropped: tuple[str, ...]


@dataclass(slots=True)
class Ceremonies:
    """Starts ceremonies, and publishes what was signed; ``may_sign`` raises ConflictError while nothing may be."""

    database: Database
    locks: Locks
    keyring: Keyring
    places: KeyPlaces
    now: Callable[[], datetime]
    may_sign: Callable[[], None]
    tell: Callable[[], object] = lambda: None
    """Rings at peers when the card is a new one."""

    def start(
        self,
        changes: Mapping[RowName, RowChange],
        *,
        online: str | None = None,
        expires: timedelta = ROOT_EXPIRES,
        with_card: bool = False,
    ) -> Draft:
        """Draft the next root, ``with_card`` with the card in force signed anew, so that peers look at once.

        ``online`` is the URI of a new online key, which is made where there is none yet.

        The node signs with the new online key and the old one from now on, so that none is missing at the change.
        Raises RequestError, TrustError, ConfigurationError, KeyUnavailableError and StoreError.
        """
        rows = dict(changes)
        with self.database.read() as connection:
            trust = own_trust(connection)
        if online is not None:
            rows[RowName.ONLINE] = RowChange((self._key_here(online),), 1)
        draft = start_ceremony(trust.files, trust.card, rows, self.now(), expires=expires, with_card=with_card)
        if online is not None:
            self.places.add(RowName.ONLINE, online)
        return draft

    def start_card(self) -> Draft:
        """Draft the card in force for another year; raises TrustError and StoreError."""
        with self.database.read() as connection:
            trust = own_trust(connection)
        return start_card(trust.files, encode_card(trust.card), trust.card, self.now())

    def sign_here(self, draft: Draft) -> Draft:
        """Sign with every root and targets key that is at hand here, which in production is none."""
        for row in (RowName.ROOT, RowName.TARGETS):
            try:
                signers = self.keyring.trust_signers(row)
            except (ConfigurationError, KeyUnavailableError) as error:
                log.debug("no key of this row is at hand", row=row.value, error=str(error))
                continue
            for signer in signers:
                try:
                    draft = sign_draft(draft, signer)
                except TrustError as error:
                    log.debug("a key here signs nothing of this draft", row=row.value, error=str(error))
        return draft

    def publish(self, draft: Draft) -> PutInForce:
        """Check every threshold, and put what was signed into force, all of it or nothing.

        Raises TrustError for a draft that is stale, below a threshold or of another member, KeyUnavailableError where
        the online keys that the new root names are not here, ConflictError while nothing may be signed, StoreError.
        """
        self.may_sign()
        online = self.keyring.trust_signers(RowName.ONLINE)
        with self.locks.hold("trust/own", timeout=LOCK_WAIT_SECONDS):
            with self.database.read() as connection:
                trust = own_trust(connection)
            files = finish_ceremony(draft, trust.files, online, self.now())
            with self.database.write() as connection:
                if own_trust(connection).files.keys() != trust.files.keys():
                    raise StoreMovedError("something else was signed meanwhile", mend="publish the draft again")
                version = take_own_card(connection, trust, files, self.now())
        root = newest(files, TrustRole.ROOT) or b""
        self.tell()
        return PutInForce(root_fingerprint(root), version, self._drop_lines(root))

    def rotate(self, row: RowName, *, revokes: bool = False) -> tuple[Draft, PutInForce | None]:
        """Replace the one key of a row of the root by a new file, with the keys that are at hand here.

        With ``revokes`` the card is signed anew as well, so that peers look at once.
        Gives the draft, and what it came to where the keys here were enough. Where a row has several holders, they give
        their new keys to a ceremony: RequestError. Raises what ``start`` and ``publish`` raise.
        """
        with self.database.read() as connection:
            trust = own_trust(connection)
        old = load_root(newest(trust.files, TrustRole.ROOT) or b"", where="root").signed.roles[ROWS[row].roles[0].value]
        if row is not RowName.ONLINE and len(old.keyids) > 1:
            raise RequestError(
                f"the {row.value} keys are held by {len(old.keyids)} people, and none of them is made here",
                mend=f"let each make one (`hashpact keys generate`), then `keys ceremony start DRAFT --{row.value} …`",
            )
        uri = next_place(self.keyring, row)
        if row is RowName.ONLINE:
            draft = self.start({}, online=uri, with_card=revokes)
        else:
            key = self._key_here(uri)
            self.places.add(row, uri)
            draft = self.start({row: RowChange((key,), 1)}, with_card=revokes)
        draft = self.sign_here(draft)
        return draft, None if lacking(draft) else self.publish(draft)

    def _key_here(self, uri: str) -> NamedKey:
        """Give the public half of a key; a file that is not there yet is made."""
        make_missing(self.keyring, uri)
        return NamedKey(public_key(uri, self.keyring.keystore))

    def _drop_lines(self, root: bytes) -> tuple[str, ...]:
        """Take the lines of keys out of node.toml that the root in force does not name."""
        signed = load_root(root, where="root").signed
        dropped = []
        for row in TRUST_ROWS:
            role = signed.roles[ROWS[row].roles[0].value]
            named = {key_identity(signed.keys[one], where="root") for one in role.keyids}
            for uri in self.places.get(row.value, ()):
                try:
                    key = public_key(uri, self.keyring.keystore)
                except (ConfigurationError, KeyUnavailableError) as error:
                    log.warning("a key cannot be looked at, so its line stays", uri=uri, error=str(error))
                    continue
                if key_identity(key, where=uri) not in named:
                    self.places.remove(row, uri)
                    dropped.append(uri)
        return tuple(dropped)
