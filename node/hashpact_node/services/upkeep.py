"""What keeps a node fresh: its own cosignatures, its trust repository, what waits to be released, what expires."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from hashpact_keys.rows import RowName
from hashpact_keys.trust import needs_renewal, renew_online
from hashpact_node.services.expiry import expire_due
from hashpact_node.services.keyring import Keyring
from hashpact_node.services.known_facts import policy_of
from hashpact_node.services.release import Releaser
from hashpact_node.services.removal import finish_removals
from hashpact_node.services.renewal_alarms import COSIGNATURES, TRUST, RenewalAlarms
from hashpact_node.services.views import own_number, viewpoint
from hashpact_node.store.changes import Numbers
from hashpact_node.store.database import Database
from hashpact_node.store.idempotency import expire
from hashpact_node.store.listed import forget_listed
from hashpact_node.store.locks import Locks
from hashpact_node.store.logs import list_logs
from hashpact_node.store.matched import forget_matched
from hashpact_node.store.outcomes import day_of
from hashpact_node.store.trust import load_files, prune_files, save_files
from hashpact_protocol.errors import HashpactError
from hashpact_protocol.policy_file import FLOOD_DAYS_MAX

TRUST_WAIT_SECONDS = 60.0


@dataclass(slots=True)
class Upkeep:
    """The regular work on what is our own; each call does what is due, and nothing else."""

    database: Database
    locks: Locks
    keyring: Keyring
    releaser: Releaser
    now: Callable[[], datetime]

    def renew_trust(self) -> bool:
        """Sign timestamp and snapshot anew once half of their life is over; whether they were.

        Raises KeyUnavailableError, TrustError and StoreError, and ConflictError while this process may not sign; what
        is served stays as it was then, and an alarm says so.
        """
        with RenewalAlarms(self.database, TRUST, self.now).told():
            return self._renew_trust()

    def _renew_trust(self) -> bool:
        with self.locks.hold("trust/own", timeout=TRUST_WAIT_SECONDS):
            with self.database.read() as connection:
                number = own_number(connection)
                files = load_files(connection, number)
            if not needs_renewal(files, self.now()):
                return False
            self.releaser.may_sign()
            renewed = renew_online(files, self.keyring.trust_signers(RowName.ONLINE), self.now())
            with self.database.write() as connection:
                save_files(connection, number, renewed)
                prune_files(connection, number, renewed.keys())
        return True

    def renew_cosignatures(self) -> int:
        """Cosign what each own open log shows anew, and release what waits; how many logs there were.

        Raises the first failure, of which an alarm tells, when all were tried.
        """
        with RenewalAlarms(self.database, COSIGNATURES, self.now).told():
            return self._renew_cosignatures()

    def _renew_cosignatures(self) -> int:
        with self.database.read() as connection:
            logs = list_logs(connection, peer=own_number(connection))
        open_logs = [log for log in logs if log.named and log.state == "open"]
        _each(self.releaser.renew, [log.number for log in open_logs])
        return len(open_logs)

    def release_waiting(self) -> int:
        """Release whatever waits, as commands leave it; how many logs something waited for."""
        waiting = self.releaser.waiting()
        _each(self.releaser.release, waiting)
        return len(waiting)

    def finish_removals(self) -> int:
        """Take out of the blocklist what is left of removed peers; of how many there was something left."""
        return finish_removals(self.database, self.locks, now=self.now())

    def expire(self) -> int:
        """Let listings that have expired stop acting, and forget old idempotency keys and counts; how many were due."""
        now = self.now()
        with self.database.write() as connection:
            expire(connection, now=now)
            today = day_of(now.date())
            forget_listed(connection, before=today - FLOOD_DAYS_MAX)
            forget_matched(connection, before=today - policy_of(connection).flood.matches.days)
        due = taken = self._expire_some(now)
        while taken:
            taken = self._expire_some(now)
            due += taken
        return due

    def _expire_some(self, now: datetime) -> int:
        """Expire as many as go into one transaction, so that others can write in between."""
        with self.database.write() as connection:
            numbers = Numbers(connection, now=int(now.timestamp()))
            taken = expire_due(connection, viewpoint(connection, now), numbers, now)
            numbers.close()
        return taken


def _each(work: Callable[[int], object], logs: list[int]) -> None:
    """Do it for every log, whichever fail; raise the first failure in the end."""
    failures: list[HashpactError] = []
    for log in logs:
        try:
            work(log)
        except HashpactError as error:
            failures.append(error)
    if failures:
        raise failures[0]
