"""New cards of this member: its logs changed, signed by the targets key."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime

from hashpact_keys.ceremony import finish_ceremony, start_card
from hashpact_keys.rows import RowName
from hashpact_keys.signers import TrustSigner
from hashpact_keys.trust import TrustSigners, publish_card
from hashpact_keys.trust_files import TrustFiles
from hashpact_node.services.keyring import Keyring
from hashpact_node.services.views import own_card, own_peer
from hashpact_node.store.connection import Connection
from hashpact_node.store.logs import list_logs
from hashpact_node.store.peers import Peer
from hashpact_node.store.trust import load_files
from hashpact_protocol.card import Card, encode_card
from hashpact_protocol.card_logs import CardLog, Final, LogState
from hashpact_protocol.errors import ConfigurationError, KeyUnavailableError


@dataclass(frozen=True, slots=True)
class OwnTrust:
    """This member with its card in force and the files of its trust repository, of one moment."""

    peer: Peer
    card: Card
    files: TrustFiles


def own_trust(connection: Connection) -> OwnTrust:
    """Read this member's trust repository; ConfigurationError before ``init``."""
    own = own_peer(connection)
    return OwnTrust(own, own_card(connection), load_files(connection, own.number))


def sign_card(keyring: Keyring, trust: OwnTrust, card: Card, now: Callable[[], datetime]) -> TrustFiles:
    """Sign a new card with the targets key, and snapshot and timestamp over it with the online key.

    Where the keyring knows people elsewhere, they sign. Raises KeyUnavailableError, which says where the key is looked
    for, when it is not at hand; CardError, TrustError.
    """
    if keyring.elsewhere is not None:
        draft = start_card(trust.files, encode_card(card), trust.card, now())
        return finish_ceremony(keyring.elsewhere(draft), trust.files, keyring.trust_signers(RowName.ONLINE), now())
    signers = TrustSigners(online=keyring.trust_signers(RowName.ONLINE), targets=_targets_signers(keyring))
    return publish_card(trust.files, encode_card(card), signers, now())


def must_have_targets(keyring: Keyring) -> None:
    """Raise KeyUnavailableError unless a new card can be signed, with a key that is at hand or by people elsewhere."""
    if keyring.elsewhere is None:
        _targets_signers(keyring)


def _targets_signers(keyring: Keyring) -> tuple[TrustSigner, ...]:
    """Give what signs a new card; raises KeyUnavailableError, which says where the key is looked for."""
    try:
        return keyring.trust_signers(RowName.TARGETS)
    except (ConfigurationError, KeyUnavailableError) as error:
        raise KeyUnavailableError(
            f"a new card is signed by the targets key, which cannot be had: {error.what}",
            where=" ".join(keyring.uris.get(RowName.TARGETS.value, ())) or error.where,
            mend="let it be signed where the key is (--draft FILE), or bring the key to this node for this one command",
        ) from error


def with_closed(card: Card, origin: str, final: Final, reason: str | None = None) -> Card:
    """End one log; ``reason`` is told to its readers."""

    def close(log: CardLog) -> CardLog:
        closed = replace(log, state=LogState.CLOSED, final=final, reason=reason)
        return closed if log.origin == origin else log

    return _replace_logs(card, close)


def with_erased(card: Card, origins: Collection[str]) -> Card:
    """Call closed logs erased."""
    return _replace_logs(card, lambda log: replace(log, erased=True) if log.origin in origins else log)


def with_successor(card: Card, successor: CardLog) -> Card:
    """Add a log behind the others of its name, or at the end where it is the first."""
    last = max((at for at, log in enumerate(card.logs) if log.name == successor.name), default=len(card.logs) - 1)
    return replace(card, logs=(*card.logs[: last + 1], successor, *card.logs[last + 1 :]))


def next_slug(connection: Connection, trust: OwnTrust, name: str, prefix: str) -> str:
    """Give the last part of the origin that the next log of a name has: never one that any log had before."""
    pattern = re.compile(re.escape(f"{prefix}/logs/{name}-") + "([0-9]{1,9})")
    origins = {log.origin for log in list_logs(connection, peer=trust.peer.number)}
    origins |= {log.origin for log in trust.card.logs}
    taken = [int(found[1]) for origin in origins if (found := pattern.fullmatch(origin))]
    return f"{name}-{max(taken, default=0) + 1}"


def _replace_logs(card: Card, change: Callable[[CardLog], CardLog]) -> Card:
    return replace(card, logs=tuple(change(log) for log in card.logs))
