"""Locks between processes and replicas: each is free at once when its holder dies, even by ``kill -9``.

On SQLite a named lock is ``flock`` on a file in the home; on PostgreSQL it is an advisory lock on a session of its
own, so that it holds for all replicas. The home itself is always locked by ``flock``.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from hashpact_node.store.database import Database
from hashpact_node.store.errors import store_errors
from hashpact_protocol.errors import StoreBusyError, StoreError

POLL_SECONDS = 0.05
FILE_NAME_MAX = 200
LOCK_NOT_AVAILABLE = "55P03"


class HeldLock(Protocol):
    """A lock that this process holds."""

    def is_alive(self) -> bool:
        """Whether it is still held: a lost session, or a deleted file, is a lost lock."""

    def release(self) -> None:
        """Let it go; it is no error to do so twice."""


class Locks:
    """Named locks of one database; names are free text, such as ``log/acme.example/logs/listings-1``."""

    def __init__(self, database: Database, home: Path) -> None:
        self._database = database
        self._folder = home / "locks"

    @contextmanager
    def hold(self, name: str, timeout: float = 0) -> Iterator[HeldLock]:
        """Hold the lock for the body; wait for it at most ``timeout`` seconds, then raise StoreBusyError."""
        held = self._take(name, timeout)
        if held is None:
            raise StoreBusyError(f"another process holds the lock {name!r}", mend="try again when it has finished")
        try:
            yield held
        finally:
            held.release()

    def try_hold(self, name: str) -> HeldLock | None:
        """Take the lock if it is free, until it is released; None if somebody else has it."""
        return self._take(name, 0)

    def _take(self, name: str, timeout: float) -> HeldLock | None:
        if self._database.is_sqlite:
            return _take_file(self._folder / _file_name(name), fcntl.LOCK_EX, timeout)
        return _take_advisory(self._database, name, timeout)


class HomeLock:
    """The lock of the home: ``serve`` shares it, ``init`` and ``restore`` want it alone."""

    def __init__(self, home: Path) -> None:
        self._home = home

    def shared(self) -> AbstractContextManager[None]:
        """Hold it together with others; StoreBusyError while somebody has it alone."""
        return self._hold(fcntl.LOCK_SH, "it is being set up or restored")

    def exclusive(self) -> AbstractContextManager[None]:
        """Hold it alone; StoreBusyError while anybody else has it."""
        return self._hold(fcntl.LOCK_EX, "a node is running on it, or it is being set up or restored")

    @contextmanager
    def _hold(self, mode: int, why: str) -> Iterator[None]:
        held = _take_file(self._home / "home.lock", mode, 0)
        if held is None:
            raise StoreBusyError(
                f"the home is in use: {why}", where=str(self._home), mend="stop that process, or wait for it"
            )
        try:
            yield
        finally:
            held.release()


class Leader:
    """Which of several processes runs the jobs: the one that holds the lock ``leader``.

    The caller calls :meth:`try_lead` every 2 s while it does not lead, and :meth:`is_alive` before each job.
    """

    def __init__(self, locks: Locks, name: str = "leader") -> None:
        self._locks = locks
        self._name = name
        self._held: HeldLock | None = None

    def try_lead(self) -> bool:
        """Lead if nobody else does; whether this process leads now."""
        if self.is_alive():
            return True
        self.resign()
        self._held = self._locks.try_hold(self._name)
        return self._held is not None

    def is_alive(self) -> bool:
        """Whether this process still leads."""
        return self._held is not None and self._held.is_alive()

    def resign(self) -> None:
        """Stop leading; another process may lead at once."""
        if self._held is not None:
            self._held.release()
            self._held = None


class _FileLock:
    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor: int | None = descriptor
        _held.add(self)

    def is_alive(self) -> bool:
        if self._descriptor is None:
            return False
        try:
            return os.path.samestat(os.fstat(self._descriptor), self._path.stat())
        except FileNotFoundError:
            return False

    def release(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def forget_in_child(self) -> None:
        self.release()


class _AdvisoryLock:
    def __init__(self, database: Database, connection: Connection, session: ExitStack) -> None:
        self._where = database.where
        self._connection = connection
        self._session: ExitStack | None = session
        self._using = threading.RLock()  # a connection is no thing for two threads at once
        _held.add(self)

    def is_alive(self) -> bool:
        with self._using:
            if self._session is None:
                return False
            try:
                with store_errors(self._where):
                    self._connection.execute(text("SELECT 1"))
            except StoreError:
                self.release()
                return False
            return True

    def release(self) -> None:
        with self._using:
            session, self._session = self._session, None
            if session is None:
                return
            if not self._connection.invalidated:
                # The server notices in its own time that a session ended, and whoever comes next would find it held.
                with suppress(StoreError), store_errors(self._where):
                    self._connection.execute(text("SELECT pg_advisory_unlock_all()"))
            session.close()

    def forget_in_child(self) -> None:
        # Closing it properly would say goodbye to the server in the parent's name.
        driver = self._connection.connection.driver_connection
        if self._session is not None and driver is not None:
            with Path(os.devnull).open("rb") as nothing:
                os.dup2(nothing.fileno(), driver.fileno())


_held: weakref.WeakSet[_FileLock | _AdvisoryLock] = weakref.WeakSet()


def _forget_in_child() -> None:
    # A forked worker would go on holding what its parent held, after the parent's death.
    for lock in list(_held):
        lock.forget_in_child()


os.register_at_fork(after_in_child=_forget_in_child)


def _take_file(path: Path, mode: int, timeout: float) -> HeldLock | None:
    deadline = time.monotonic() + timeout
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(
            f"the lock file cannot be opened: {error.strerror}", where=str(path), mend="check who owns the folder"
        ) from error
    while True:
        try:
            fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                os.close(descriptor)
                return None
            time.sleep(POLL_SECONDS)
        else:
            return _FileLock(path, descriptor)


def _file_name(name: str) -> str:
    quoted = quote(name, safe="")
    if len(quoted) > FILE_NAME_MAX:
        quoted = hashlib.sha256(name.encode()).hexdigest()
    return f"{quoted}.lock"


def _take_advisory(database: Database, name: str, timeout: float) -> HeldLock | None:
    key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
    with ExitStack() as session:
        connection = session.enter_context(database.session())
        if not _lock_advisory(connection, key, timeout):
            return None
        return _AdvisoryLock(database, connection, session.pop_all())


def _lock_advisory(connection: Connection, key: int, timeout: float) -> bool:
    # The server must notice within seconds that this machine is gone; on a Unix socket these settings do nothing.
    for setting, seconds in (("tcp_keepalives_idle", 5), ("tcp_keepalives_interval", 2), ("tcp_keepalives_count", 3)):
        connection.execute(text(f"SET {setting} = {seconds}"))
    if timeout <= 0:
        return bool(connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": key}).scalar_one())
    connection.execute(text(f"SET lock_timeout = {max(1, round(timeout * 1000))}"))
    try:
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": key})
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) == LOCK_NOT_AVAILABLE:
            return False
        raise
    return True
