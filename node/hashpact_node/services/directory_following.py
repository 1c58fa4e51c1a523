"""Follow a consortium's directory: read it, do what the policy lets it do, and tell people the rest.

It can add, suspend and readmit, never more: what a member says is signed by that member, whose own repository is read
under the root that the directory names, as if a person had added it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

import structlog

from hashpact_keys.trust_files import METADATA, root_fingerprint
from hashpact_node import clock
from hashpact_node.net.trust import Peer as TrustPeer
from hashpact_node.net.trust import TrustUpdate, refresh_trust
from hashpact_node.net.trust_fetcher import TrustSource
from hashpact_node.services.actors import Actor, ActorKind
from hashpact_node.services.audit import AuditLog
from hashpact_node.services.directory_plan import (
    ALIKE_MAX,
    Known,
    Proposal,
    Step,
    because,
    own_differences,
    propose,
    unlisted,
)
from hashpact_node.services.introducing import check_introduction, look_at_member
from hashpact_node.services.likeness import about_card
from hashpact_node.services.peering import Check, Peering
from hashpact_node.services.problems import problem
from hashpact_node.services.views import own_peer
from hashpact_node.settings import Settings
from hashpact_node.store.alarms import clear_alarm, raise_alarm
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.decisions import DIRECTORY, find_decision, list_decisions
from hashpact_node.store.directories import (
    HeldDirectory,
    find_directory,
    load_directory_files,
    record_directory,
    save_directory_files,
)
from hashpact_node.store.locks import Locks
from hashpact_node.store.peers import EVERY_STATE, SHOWN, Peer, find_peer, list_peers
from hashpact_node.store.trust import ROOT_SUFFIX, load_files
from hashpact_protocol.directory import DIRECTORY_PATH, Directory, DirectoryMember, parse_directory
from hashpact_protocol.errors import ConfigurationError, ConflictError, HashpactError, NotFoundError, TrustError

AUTO: Final = "auto"
OFF: Final = "off"
UNREAD: Final = "directory-unread"
REFUSED: Final = "directory-member-refused"
DIFFERS: Final = "directory-differs"
ASKS: Final = "directory-asks"
FOLLOWER: Final = Actor(ActorKind.JOB, "directory")
TOLD_MAX: Final = 5
RUN_SECONDS: Final = 900.0
"""How long one run takes up members; those that are left have their turn in the next."""

LOCK_WAIT_SECONDS: Final = 60.0
LOCK: Final = "directory"

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Followed:
    """What following came to: members by what was done, why some were refused, and what is left to people.

    ``cautions`` say of whom it was left to them, because its card may be taken for another's.
    """

    added: list[str] = field(default_factory=list)
    suspended: list[str] = field(default_factory=list)
    readmitted: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    cautions: dict[str, str] = field(default_factory=dict)
    pending: list[Proposal] = field(default_factory=list)
    differs: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class DirectoryFollower:
    """Follows the one directory that the settings pin."""

    database: Database
    locks: Locks
    source: TrustSource
    peering: Peering
    settings: Settings
    now: Callable[[], datetime]

    def follow(self) -> Followed:
        """Read the directory and do what the policy lets it do; with the policy ``off``, nothing.

        What cannot be read or is refused is an alarm, and what was accepted last stands. Raises the error where nothing
        was ever accepted, StoreBusyError.
        """
        if self.settings.directory_policy == OFF:
            self._tell(Followed(), [])
            return Followed()
        with self.locks.hold(LOCK, timeout=LOCK_WAIT_SECONDS):
            directory = self._read()
            done = Followed()
            if self.settings.directory_policy == AUTO:
                self._apply(directory, done)
            self._look(directory, done)
        return done

    def pending(self) -> Followed:
        """Give what the accepted directory would change here, and where it differs; nothing is read or changed."""
        done = Followed()
        self._look(self.directory()[0], done, tell=False)
        return done

    def directory(self) -> tuple[Directory, HeldDirectory]:
        """Give the directory that was last accepted; ConfigurationError where none is set, NotFoundError before one."""
        pin, _ = self._pin()
        with self.database.read() as connection:
            held = find_directory(connection, pin)
        if held is None or held.data is None:
            raise NotFoundError("no directory was accepted yet", where=pin, mend="run `hashpact directory follow`")
        return parse_directory(held.data), held

    def accept(self, member: str, *, sure: bool = False) -> Proposal:
        """Do what the directory says of one member, because a person wants it; give what was done.

        From then on, its word about that member counts. Raises NotFoundError where there is nothing to do,
        ConflictError where the member may be taken for another, unless the person is ``sure``, and what adding and
        suspending raise.
        """
        directory, _ = self.directory()
        with self.locks.hold(LOCK, timeout=LOCK_WAIT_SECONDS):
            found = next((one for one in self._proposals(directory) if one.entry.member == member), None)
            if found is None:
                raise NotFoundError(
                    f"the directory would change nothing about {member} here", mend="see `hashpact directory pending`"
                )
            cautions = self._cautions(found)  # whoever cannot be read is refused before anything is done
            if cautions and not sure:
                raise ConflictError(
                    f"look twice: {'; '.join(cautions)}",
                    where=found.entry.url,
                    mend=f"ask {member} by another channel; then `hashpact directory accept {member} --yes`",
                )
            self._take(found)
            self._look(directory, Followed())
        return found

    def _pin(self) -> tuple[str, str]:
        pin, url = self.settings.directory_fingerprint, self.settings.directory_url
        if pin is None or url is None:
            raise ConfigurationError(
                "no directory is set",
                where=str(self.settings.home),
                mend="set directory_url and directory_fingerprint in node.toml, as the secretariat gives them",
            )
        return pin, url

    def _read(self) -> Directory:
        """Read the directory, store what was verified, and give what is accepted now."""
        (pin, url), now = self._pin(), self.now()
        with self.database.read() as connection:
            stored = load_directory_files(connection, pin)
        try:
            update = refresh_trust(self.source, TrustPeer("directory", url, pin, DIRECTORY_PATH), stored, now)
        except HashpactError as error:
            update = TrustUpdate((), stored, problems=(error,))
        failed = update.problems[0] if update.problems else None
        with self.database.write() as connection:
            roots = {(METADATA, name): data for name, data in update.new_roots}
            save_directory_files(connection, pin, roots | dict(update.files))
            accepted = None if update.card is None else (update.card_version, update.card)
            error_body = None if failed is None else problem(failed)
            record_directory(connection, pin, url, now=now, error=error_body, accepted=accepted)
            if failed is None:
                clear_alarm(connection, UNREAD, now=now)
            else:
                what = f"the directory at {url}: {failed.what}"
                mend = "what was accepted last stands; ask the secretariat"
                raise_alarm(connection, UNREAD, what, now=now, mend=mend)
            held = find_directory(connection, pin)
        if held is None or held.data is None:
            raise failed or TrustError("no directory came", where=url)
        return parse_directory(held.data)

    def _known(self, connection: Connection) -> dict[str, Known]:
        """Give everybody who is or was followed, by id, and this member."""
        decisions = list_decisions(connection)
        return {
            peer.member: Known(peer, _roots(connection, peer), decisions.get(peer.member))
            for peer in list_peers(connection, own=True, states=EVERY_STATE)
        }

    def _proposals(self, directory: Directory) -> list[Proposal]:
        with self.database.read() as connection:
            return propose(directory, self._known(connection), _others(connection))

    def _still_proposes(self, connection: Connection, one: Proposal) -> bool:
        """Whether a proposal that was computed a while ago would be made of what stands here now."""
        member = one.entry.member
        peer, decision = find_peer(connection, member), find_decision(connection, member)
        known = {} if peer is None else {member: Known(peer, _roots(connection, peer), decision)}
        return propose(Directory("", (one.entry,)), known, _others(connection)) == [one]

    def _check(self, one: Proposal) -> Check:
        """Refuse a step in the transaction in which it would begin, where somebody has decided since; ConflictError."""

        def check(connection: Connection) -> None:
            if not self._still_proposes(connection, one):
                member = one.entry.member
                raise ConflictError(
                    f"somebody decided about {member} meanwhile", mend="see `hashpact directory pending`"
                )

        return check

    def _apply(self, directory: Directory, done: Followed) -> None:
        until, audit = clock.monotonic() + RUN_SECONDS, AuditLog(self.database, self.now)
        lists = {Step.ADD: done.added, Step.SUSPEND: done.suspended, Step.READMIT: done.readmitted}
        for one in self._proposals(directory):
            if one.left is not None or clock.monotonic() > until:
                continue
            try:
                cautions = self._cautions(one)
                if cautions:
                    done.cautions[one.entry.member] = "; ".join(cautions[:ALIKE_MAX])
                    continue
                self._take(one)
            except HashpactError as error:
                with self.database.read() as connection:
                    overtaken = isinstance(error, ConflictError) and not self._still_proposes(connection, one)
                if overtaken:
                    log.info("somebody decided meanwhile, and that stands", member=one.entry.member)
                else:
                    done.refused[one.entry.member] = f"{one.step.value}: {error}"
            else:
                log.info("the directory's word was followed", member=one.entry.member, step=one.step.value)
                told = {"fingerprint": one.entry.fingerprint, "reason": one.entry.reason}
                audit.try_record(FOLLOWER, f"{one.step.value} peer", one.entry.member, detail=told)
                lists[one.step].append(one.entry.member)

    def _cautions(self, one: Proposal) -> list[str]:
        """Look at somebody new, or moved, before it is trusted: give the reasons to look twice; what reading raises."""
        if one.step not in {Step.ADD, Step.MOVE}:
            return []
        entry = one.entry
        if one.step is Step.ADD:
            check_introduction(self.database, entry.member, entry.url, root=None, fingerprint=entry.fingerprint)
        card, _ = look_at_member(self.source, entry.member, entry.url, entry.fingerprint, self.now())
        with self.database.read() as connection:
            return list(about_card(connection, card))

    def _take(self, one: Proposal) -> None:
        """Take a step, unless somebody here decides otherwise before; ConflictError, and what steps raise."""
        entry, check = one.entry, self._check(one)
        if one.step is Step.SUSPEND:
            self.peering.suspend(entry.member, reason=entry.reason, by=DIRECTORY, check=check)
        elif one.step is Step.READMIT:
            self.peering.resume(entry.member, by=DIRECTORY, check=check)
        elif one.step is Step.MOVE:
            self.peering.remove(entry.member, check=check)
            self.peering.add(entry.member, entry.url, fingerprint=entry.fingerprint, by=DIRECTORY)
        else:
            self.peering.add(entry.member, entry.url, fingerprint=entry.fingerprint, by=DIRECTORY, check=check)

    def _look(self, directory: Directory, done: Followed, *, tell: bool = True) -> None:
        """Find what is left to people, and tell them."""
        with self.database.read() as connection:
            known = self._known(connection)
            own = known[own_peer(connection).member]
            proposed = propose(directory, known, _others(connection))
        told = done.cautions
        others = [replace(one, left=one.left or told.get(one.entry.member)) for one in proposed]
        done.pending = [one for one in others if one.entry.member not in done.refused]
        done.differs = [
            *own_differences(directory, own),
            *(f"{one.entry.member} is {_said(one.entry)} there, and {one.left}" for one in others if one.left),
            *(f"{member} is listed there no more" for member in unlisted(directory, known)),
        ]
        if tell:
            self._tell(done, [_words(one) for one in done.pending if one.left is None])

    def _tell(self, done: Followed, asks: list[str]) -> None:
        """Raise or clear the alarms about the directory's word."""
        refused = [f"{member}: {why}" for member, why in sorted(done.refused.items())]
        mend = "`hashpact directory pending` shows all; `hashpact directory accept MEMBER` takes the directory's word"
        now = self.now()
        with self.database.write() as connection:
            if refused:
                what = f"the directory lists whom this node refuses: {_some(refused)}"
                raise_alarm(connection, REFUSED, what, now=now, mend=mend)
            else:
                clear_alarm(connection, REFUSED, now=now)
            if done.differs:
                what = f"the directory and this node differ: {_some(done.differs)}"
                raise_alarm(connection, DIFFERS, what, now=now, mend=mend)
            else:
                clear_alarm(connection, DIFFERS, now=now)
            if asks:
                raise_alarm(connection, ASKS, f"the directory proposes changes: {_some(asks)}", now=now, mend=mend)
            else:
                clear_alarm(connection, ASKS, now=now)


def _others(connection: Connection) -> list[Peer]:
    """Give those with whom nobody new may be confused."""
    return list_peers(connection, own=True, states=SHOWN)


def _roots(connection: Connection, peer: Peer) -> frozenset[str]:
    """Give the fingerprints of a member's roots that are held, and of that by which it is pinned."""
    files: Mapping[tuple[str, str], bytes] = load_files(connection, peer.number)
    held = {root_fingerprint(data) for (_, name), data in files.items() if name.endswith(ROOT_SUFFIX)}
    return frozenset(held | ({peer.pinned_fingerprint} if peer.pinned_fingerprint else set()))


def _said(entry: DirectoryMember) -> str:
    return f"{entry.standing.value}{because(entry)}"


def _words(one: Proposal) -> str:
    return f"{one.step.value} {one.entry.member}{because(one.entry)}"


def _some(texts: list[str]) -> str:
    more = f"; and {len(texts) - TOLD_MAX} more" if len(texts) > TOLD_MAX else ""
    return "; ".join(texts[:TOLD_MAX]) + more
