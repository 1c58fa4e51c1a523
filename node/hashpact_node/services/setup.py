"""Make a home: keys, trust repository, card, database and node.toml."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from hashpact_keys.key_forms import note_public
from hashpact_keys.keystore import KeyStore
from hashpact_keys.public_keys import generate, public_key
from hashpact_keys.rows import ROWS, RowName, TrustRole
from hashpact_keys.signers import FILE, PKCS11, TrustKey, key_path, scheme_of
from hashpact_keys.trust import TrustSigners, create_trust, current_card
from hashpact_keys.trust_files import TrustFiles, newest, root_fingerprint
from hashpact_node.services.actors import Actor, ActorKind
from hashpact_node.services.keyring import Keyring
from hashpact_node.services.tokens import TokenPlan, TokenScope, make_token
from hashpact_node.services.trusting import take_card
from hashpact_node.setting_forms import DEFAULT_KEYS
from hashpact_node.settings import DEFAULT_PORT, NODE_TOML, Settings, write_node_toml
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.locks import HomeLock
from hashpact_node.store.migrate import migrate
from hashpact_node.store.peers import add_peer, find_own, pin_root
from hashpact_node.store.trust import save_files
from hashpact_protocol.card import Card, RequestKey, WitnessKey, encode_card
from hashpact_protocol.card_logs import CardLog, LogKind, LogState
from hashpact_protocol.errors import ConfigurationError, ConflictError
from hashpact_protocol.names import MemberUrl, parse_member_id
from hashpact_protocol.notes import KeyType, VerifierKey

FIRST_LOG = "listings-1"
FREE_MIN_BYTES = 50_000_000
FIRST_TOKEN = TokenPlan("first", (TokenScope.ADMIN,))
FOUNDER = Actor(ActorKind.COMMAND, "init")


@dataclass(frozen=True, slots=True)
class Made:
    """What ``make_home`` made: the member, where it is, and the root's fingerprint for its peers.

    ``token`` is the first token of its API, which may do everything; it is stored nowhere.
    """

    member: str
    url: str
    home: Path
    fingerprint: str
    keys: Mapping[str, str]
    database: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Founding:
    """Who is to be founded: member id, public URL, name for people, ways to reach its people."""

    member: str
    url: str
    name: str
    contacts: tuple[str, ...] = ()


def make_home(
    settings: Settings, founding: Founding, keystore: KeyStore, database: Database, *, now: Callable[[], datetime]
) -> Made:
    """Make the keys of all rows, the trust repository with its card, the database, a token and, last, ``node.toml``.

    A key that is on its token or in its service already is used; one that is not on its token is made there. What
    fails half way is taken back but for keys on tokens, so that it can be run again. Raises ConflictError for a home
    or database that is in use, ConfigurationError for keys that cannot serve their rows, MemberNameError,
    KeyUnavailableError, TrustError and StoreError.
    """
    parse_member_id(founding.member)
    url = MemberUrl.parse(founding.url)
    home = settings.home
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with HomeLock(home).exclusive():
        check_unused(home)
        migrate(database)
        with database.read() as connection:
            if find_own(connection) is not None:
                raise ConflictError(
                    "this database belongs to a member already",
                    where=database.where,
                    mend="give every member a database of its own",
                )
        keyring = Keyring(keystore, settings.keys)
        made: list[Path] = []
        try:
            card = _card(founding, url, _make_keys(keystore, settings.keys, made), now())
            files = _sign(keyring, card, now())
            with database.write() as connection:
                fingerprint = _store(connection, card, files, now())
                token = make_token(connection, FIRST_TOKEN, by=FOUNDER, now=now())
                made.append(_write_settings(settings, founding, str(url)))  # last, and the database only with it
        except BaseException:
            for path in made:
                path.unlink(missing_ok=True)
            raise
    shown = {row: _shown(keystore, uris[0]) for row, uris in settings.keys.items()}
    return Made(founding.member, str(url), home, fingerprint, shown, settings.shown_database_url, token.text)


def check_unused(home: Path) -> None:
    """Raise ConflictError for a home that is set up, ConfigurationError where there is no room for one."""
    if (home / NODE_TOML).exists():
        raise ConflictError(
            "this home is set up already", where=str(home), mend="use it as it is, or give another with HASHPACT_HOME"
        )
    if shutil.disk_usage(home).free < FREE_MIN_BYTES:
        raise ConfigurationError("less than 50 MB are free here", where=str(home), mend="make room first")


def _make_keys(keystore: KeyStore, uris: Mapping[str, tuple[str, ...]], made: list[Path]) -> dict[RowName, bytes]:
    """Make or find the key of each row, and give those that the card names: rows without a role in TUF."""
    public = {}
    for row in ROWS:
        uri = _only(uris, row)
        key = _make_file(keystore, uri, made) if scheme_of(uri) == FILE else _find_or_generate(keystore, uri)
        if not ROWS[row].roles:
            public[row] = note_public(key, where=uri)
    return public


def _make_file(keystore: KeyStore, uri: str, made: list[Path]) -> TrustKey:
    key = generate(uri, keystore)
    made.append(keystore.locate(key_path(uri)))
    return key


def _find_or_generate(keystore: KeyStore, uri: str) -> TrustKey:
    """Use the key that is there; on a token, make one where there is none."""
    if scheme_of(uri) != PKCS11:
        return public_key(uri, keystore)
    try:
        return generate(uri, keystore)
    except ConflictError:
        return public_key(uri, keystore)


def _shown(keystore: KeyStore, uri: str) -> str:
    return str(keystore.locate(key_path(uri))) if scheme_of(uri) == FILE else uri


def _only(uris: Mapping[str, tuple[str, ...]], row: RowName) -> str:
    if len(uris[row.value]) != 1:
        raise ConfigurationError(
            f"a new home takes exactly one key for the row {row.value}", mend="name one; others come by rotation"
        )
    return uris[row.value][0]


def _card(founding: Founding, url: MemberUrl, public: Mapping[RowName, bytes], now: datetime) -> Card:
    """Make the first card: one open log, ``listings``; the crisis key waits for its log."""
    start = now.replace(microsecond=0)
    origin = f"{url.prefix}/logs/{FIRST_LOG}"
    listings = CardLog(
        name="listings",
        kind=LogKind.LISTINGS,
        origin=origin,
        url=url.log_url(origin),
        keys=(VerifierKey(origin, KeyType.ED25519, public[RowName.RELEASE]),),
        state=LogState.OPEN,
    )
    witness_name = f"{url.prefix}/witness-1"
    witness = VerifierKey(witness_name, KeyType.COSIGNATURE, public[RowName.WITNESS])
    until = {row.name: start + row.card_validity for row in ROWS.values() if row.card_validity is not None}
    request_id = f"{founding.member}-request-1"
    return Card(
        member=founding.member,
        name=founding.name,
        url=str(url),
        contacts=founding.contacts,
        logs=(listings,),
        witness_keys=(WitnessKey(witness, start, until[RowName.WITNESS]),),
        request_keys=(RequestKey(request_id, public[RowName.REQUEST], start, until[RowName.REQUEST]),),
    )


def _sign(keyring: Keyring, card: Card, now: datetime) -> TrustFiles:
    """Sign the trust repository with its card."""
    signers = TrustSigners(
        online=keyring.trust_signers(RowName.ONLINE),
        targets=keyring.trust_signers(RowName.TARGETS),
        root=keyring.trust_signers(RowName.ROOT),
    )
    return create_trust(signers, encode_card(card), now)


def _store(connection: Connection, card: Card, files: TrustFiles, now: datetime) -> str:
    """Store the member, its trust repository, its card and its log; give the root's fingerprint."""
    root = newest(files, TrustRole.ROOT) or b""
    fingerprint = root_fingerprint(root)
    version, data = current_card(files)
    peer = add_peer(connection, card.member, card.url, now=now, own=True)
    pin_root(connection, peer.number, root, fingerprint)
    save_files(connection, peer.number, files)
    take_card(connection, peer, data, version, now)
    return fingerprint


def _write_settings(settings: Settings, founding: Founding, url: str) -> Path:
    values: dict[str, str | float | list[str] | Mapping[str, str]] = {
        "member": founding.member,
        "url": url,
        "name": founding.name,
    }
    if settings.port != DEFAULT_PORT:
        values["port"] = settings.port
    elsewhere = {row: uris[0] for row, uris in settings.keys.items() if uris != DEFAULT_KEYS[row]}
    if elsewhere:
        values["keys"] = elsewhere
    return write_node_toml(settings.home, values)
