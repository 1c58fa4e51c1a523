"""Put a node together: the only place where store, net, index, keys and services meet."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from hashpact_keys.keystore import KeyStore, no_pin
from hashpact_node import clock
from hashpact_node.index.scan import ScanIndex
from hashpact_node.net.addresses import AddressRules
from hashpact_node.net.fetcher import Fetcher
from hashpact_node.services.approving import Approving
from hashpact_node.services.audiences import Audiences
from hashpact_node.services.audit import AuditLog
from hashpact_node.services.awakening import Awakening
from hashpact_node.services.blob_fetching import BlobFetcher
from hashpact_node.services.blobs import Blobs
from hashpact_node.services.blocklist import Blocklist
from hashpact_node.services.card_bell import CardBell
from hashpact_node.services.ceremonies import Ceremonies
from hashpact_node.services.change_feed import ChangeFeed
from hashpact_node.services.comparing import Comparer
from hashpact_node.services.corrections import Corrections
from hashpact_node.services.cosigning import Cosigner
from hashpact_node.services.credentials import Credentials
from hashpact_node.services.deciding import Deciding
from hashpact_node.services.directory_following import DirectoryFollower
from hashpact_node.services.doorkeeping import Doorkeeper
from hashpact_node.services.erasing import Erasing
from hashpact_node.services.evidence import EvidenceKeeper
from hashpact_node.services.explaining import Explainer
from hashpact_node.services.hold_notices import HoldNotices
from hashpact_node.services.holding import HeldReleases
from hashpact_node.services.holds import Holds
from hashpact_node.services.incidents import Incidents
from hashpact_node.services.index_feed import IndexFeed
from hashpact_node.services.introducing import Introducer
from hashpact_node.services.judging_anew import Rejudger
from hashpact_node.services.key_places import KeyPlaces
from hashpact_node.services.key_watch import KeyWatch
from hashpact_node.services.keyring import Keyring
from hashpact_node.services.log_files import LogFiles
from hashpact_node.services.match_tally import MatchTally
from hashpact_node.services.matching import Matcher
from hashpact_node.services.mirroring import Mirror
from hashpact_node.services.moving import Mover
from hashpact_node.services.opining import Opining
from hashpact_node.services.outcomes import Outcomes
from hashpact_node.services.own_card_restoring import CardRestorer
from hashpact_node.services.peering import Peering
from hashpact_node.services.policies import Policies
from hashpact_node.services.publishing import Publisher
from hashpact_node.services.pulling import Puller
from hashpact_node.services.recovering import Recovery
from hashpact_node.services.release import Releaser
from hashpact_node.services.release_rules import ReleaseRules
from hashpact_node.services.reports import Reporter
from hashpact_node.services.restoring import Restorer
from hashpact_node.services.rotating import Rotating
from hashpact_node.services.stating import Stating
from hashpact_node.services.succession import Succession
from hashpact_node.services.token_checks import TokenChecks
from hashpact_node.services.tokens import Tokens
from hashpact_node.services.trusting import Trusting
from hashpact_node.services.undoing import Undoing
from hashpact_node.services.upkeep import Upkeep
from hashpact_node.services.webhook_delivery import WebhookDelivery
from hashpact_node.services.webhook_secrets import WebhookSecrets
from hashpact_node.services.webhooks import WEBHOOKS_MAX, Webhooks
from hashpact_node.services.witness_lines import WitnessLines
from hashpact_node.services.witnessing import Witness
from hashpact_node.services.workers import Workers
from hashpact_node.settings import NODE_TOML, Settings, load_settings
from hashpact_node.store.database import Database, open_database
from hashpact_node.store.locks import Leader, Locks
from hashpact_node.store.migrate import migrate
from hashpact_node.store.peers import find_own
from hashpact_protocol.errors import ConfigurationError
from hashpact_protocol.names import MemberUrl
from hashpact_protocol.policy_file import FILE_NAME
from hashpact_protocol.signals import SIGNAL_TYPES

MEBIBYTE = 1024 * 1024

COMMAND_ASKS_AGAIN_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Node:
    """A node whose parts are wired; ``close`` it in the end."""

    settings: Settings
    database: Database
    audit: AuditLog
    locks: Locks
    places: KeyPlaces
    keyring: Keyring
    fetcher: Fetcher
    workers: Workers
    awakening: Awakening
    card_restorer: CardRestorer
    restorer: Restorer
    witness_lines: WitnessLines
    card_bell: CardBell
    releaser: Releaser
    publisher: Publisher
    approving: Approving
    undoing: Undoing
    held: HeldReleases
    mover: Mover
    succession: Succession
    stating: Stating
    opining: Opining
    deciding: Deciding
    holds: Holds
    hold_notices: HoldNotices
    corrections: Corrections
    incidents: Incidents
    audiences: Audiences
    ceremonies: Ceremonies
    rotating: Rotating
    recovery: Recovery
    erasing: Erasing
    trusting: Trusting
    puller: Puller
    peering: Peering
    introducer: Introducer
    directory: DirectoryFollower
    upkeep: Upkeep
    policies: Policies
    key_watch: KeyWatch
    log_files: LogFiles
    mirror: Mirror
    witness: Witness
    matcher: Matcher
    explainer: Explainer
    match_tally: MatchTally
    outcomes: Outcomes
    reporter: Reporter
    blobs: Blobs
    blob_fetcher: BlobFetcher
    blocklist: Blocklist
    change_feed: ChangeFeed
    evidence: EvidenceKeeper
    comparer: Comparer
    doorkeeper: Doorkeeper
    tokens: Tokens
    token_checks: TokenChecks
    webhooks: Webhooks
    webhook_delivery: WebhookDelivery

    @property
    def member(self) -> str:
        """This member's id."""
        return self.settings.member or ""

    def leader(self) -> Leader:
        """Give a candidate for running the jobs of this database."""
        return Leader(self.locks)

    def close(self) -> None:
        """Leave the others, end worker processes, close connections."""
        self.awakening.end()
        self.witness_lines.close()
        self.workers.close()
        self.fetcher.close()
        self.webhook_delivery.fetcher.close()
        self.database.dispose()


def open_settings(home: Path, environment: Mapping[str, str] | None = None) -> Settings:
    """Give the settings of a home that is set up; ConfigurationError when it is not."""
    if not (home / NODE_TOML).exists():
        raise ConfigurationError(
            "there is no node in this folder", where=str(home), mend="run `hashpact init` first, or set HASHPACT_HOME"
        )
    return load_settings(os.environ if environment is None else environment, home)


def open_node(
    settings: Settings,
    passphrase: Callable[[], bytes],
    *,
    pin: Callable[[str], str] = no_pin,
    releases: bool = True,
    now: clock.Now = clock.now,
) -> Node:
    """Open the node of a home: migrate its database and wire its services. Nothing runs yet.

    ``passphrase`` is asked when a key file is first needed, ``pin`` when a token is. ``releases`` is False where a
    running node releases what is published here. Raises ConfigurationError and StoreError.
    """
    database = open_database(settings.database_url)
    try:
        migrate(database)
        keystore = KeyStore(settings.home, passphrase, pin=pin)
        return _wire(settings, database, keystore, releases=releases, now=now)
    except BaseException:
        database.dispose()
        raise


def _wire(settings: Settings, database: Database, keystore: KeyStore, *, releases: bool, now: clock.Now) -> Node:
    with database.read() as connection:
        own = find_own(connection)
    if own is None or own.member != settings.member:
        raise ConfigurationError(
            f"the database is that of {own.member if own else 'nobody'}, and node.toml says {settings.member}",
            where=database.where,
            mend="point HASHPACT_DATABASE_URL to this member's database",
        )
    locks = Locks(database, settings.home)
    places = KeyPlaces(settings)
    keyring = Keyring(keystore, places)
    credentials = Credentials(database, keyring, now)
    addresses = AddressRules.of(settings.url, settings.allow_networks)
    fetcher = Fetcher(addresses, signs=credentials.headers)
    receivers = Fetcher(addresses, connections=WEBHOOKS_MAX, escapes=True)
    workers = Workers(settings.worker_processes)
    awakening = Awakening(database, locks, fetcher, now, again_seconds=COMMAND_ASKS_AGAIN_SECONDS)
    witness_lines = WitnessLines(database, fetcher, now, settings.publish_witnesses)
    card_bell = CardBell(database, witness_lines)
    policies = Policies(database, settings.home / FILE_NAME, Rejudger(database, now), now)
    rules = replace(ReleaseRules.of(settings), incidents=policies.incident_rules)
    releaser = Releaser(database, locks, keyring, now, awakening.require, witness_lines, rules)
    publisher = Publisher(database, releaser, now, releases=releases)
    cosigner = Cosigner(database, keyring, now, awakening.require)
    evidence = EvidenceKeeper(database, now)
    trusting = Trusting(database, fetcher, now)
    puller = Puller(database, locks, fetcher, workers, settings, now, cosigner)
    witness = Witness(database, cosigner, now, lambda log, fork: evidence.keep_fork(fork, log.number))
    peering = Peering(database, locks, trusting, now)
    succession = Succession(database, locks, keyring, releaser, now)
    stating = Stating(database, publisher, succession, now)
    opining = Opining(database, stating, now)
    change_feed = ChangeFeed(database)
    vault = WebhookSecrets(keystore)
    index_feed = IndexFeed(database, ScanIndex(SIGNAL_TYPES["pdq"].code))
    matcher = Matcher(database, index_feed, now)
    return Node(
        settings=settings,
        database=database,
        audit=AuditLog(database, now),
        locks=locks,
        places=places,
        keyring=keyring,
        fetcher=fetcher,
        workers=workers,
        awakening=awakening,
        card_restorer=CardRestorer(database, locks, fetcher, keyring, now, awakening.hear),
        restorer=Restorer(database, locks, fetcher, workers, settings.fetch_threads, now),
        witness_lines=witness_lines,
        card_bell=card_bell,
        releaser=releaser,
        publisher=publisher,
        approving=Approving(database, publisher, now),
        undoing=Undoing(database),
        held=HeldReleases(database, rules, now),
        mover=Mover(database, publisher, now),
        succession=succession,
        stating=stating,
        opining=opining,
        deciding=Deciding(database, now),
        holds=Holds(database, now),
        hold_notices=HoldNotices(database, opining, now),
        corrections=Corrections(database, publisher, now),
        incidents=Incidents(database, stating, now, policies.incident_rules),
        audiences=Audiences(database, locks, keyring, places, releaser, now),
        ceremonies=Ceremonies(database, locks, keyring, places, now, awakening.require, card_bell.tell),
        rotating=Rotating(database, locks, keyring, places, releaser, card_bell, now),
        recovery=Recovery(database, locks, keyring, places, releaser, card_bell.tell, now),
        erasing=Erasing(database, locks, fetcher, now),
        trusting=trusting,
        puller=puller,
        peering=peering,
        introducer=Introducer(database, fetcher, now, settings.directory_fingerprint),
        directory=DirectoryFollower(database, locks, fetcher, peering, settings, now),
        upkeep=Upkeep(database, locks, keyring, releaser, now),
        policies=policies,
        key_watch=KeyWatch(database, keyring, fetcher, settings.home, now),
        log_files=LogFiles(database),
        mirror=Mirror(database),
        witness=witness,
        matcher=matcher,
        explainer=Explainer(matcher, now),
        match_tally=MatchTally(database, now),
        outcomes=Outcomes(database, now),
        reporter=Reporter(database, settings.report_threshold, now),
        blobs=Blobs(database, now),
        blob_fetcher=BlobFetcher(database, fetcher, settings.blob_quota_mib * MEBIBYTE, now, puller.is_due),
        blocklist=Blocklist(database),
        change_feed=change_feed,
        evidence=evidence,
        comparer=Comparer(database, locks, fetcher, evidence, trusting, now),
        doorkeeper=Doorkeeper(database, MemberUrl.parse(own.url), now, witness.rung.set),
        tokens=Tokens(database, now),
        token_checks=TokenChecks(database, now),
        webhooks=Webhooks(change_feed, vault, addresses, now),
        webhook_delivery=WebhookDelivery(change_feed, vault, receivers, now),
    )
