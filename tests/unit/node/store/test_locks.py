from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hashpact_node.store.database import Database
from hashpact_node.store.locks import HomeLock, Leader, Locks, _AdvisoryLock
from hashpact_protocol.errors import StoreBusyError, StoreError

HOLDER = """
import sys, time
from pathlib import Path
from hashpact_node.store.database import open_database
from hashpact_node.store.locks import Locks
held = Locks(open_database(sys.argv[1]), Path(sys.argv[2])).try_hold("leader")
print("held" if held else "refused", flush=True)
time.sleep(600)
"""


@pytest.fixture
def locks(database: Database, tmp_path: Path) -> Locks:
    return Locks(database, tmp_path)


def wait_until(happens: Callable[[], bool], seconds: float = 120) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if happens():
            return True
        time.sleep(0.02)
    return False


def test_one_holds_and_another_is_refused(locks: Locks) -> None:
    with locks.hold("log/a"):
        assert locks.try_hold("log/a") is None
        with pytest.raises(StoreBusyError) as caught, locks.hold("log/a", timeout=0.1):
            pass
        assert "log/a" in caught.value.what
        assert caught.value.mend
    with locks.hold("log/a"):
        pass


def test_names_do_not_meet(locks: Locks) -> None:
    with locks.hold("log/a"), locks.hold("log/b"), locks.hold("a" * 500), locks.hold("a" * 501):
        pass


def test_one_waits_for_another(locks: Locks) -> None:
    first = locks.try_hold("job")
    assert first is not None
    threading.Timer(0.2, first.release).start()
    with locks.hold("job", timeout=120) as second:
        assert second.is_alive()
        assert not first.is_alive()
    first.release()


def test_an_error_in_the_body_frees_the_lock(locks: Locks) -> None:
    with pytest.raises(RuntimeError), locks.hold("job"):
        raise RuntimeError
    with locks.hold("job"):
        pass


def test_a_killed_holder_frees_the_lock_at_once(database_url: str, database: Database, tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, database_url, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        leader = Leader(Locks(database, tmp_path))
        assert not leader.try_lead()
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
        assert wait_until(leader.try_lead)
        leader.resign()


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_does_not_keep_the_lock(locks: Locks) -> None:
    held = locks.try_hold("job")
    assert held is not None
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover  # coverage does not see the child
        os.close(writing)
        os.read(reading, 1)
        os._exit(0)
    os.close(reading)
    try:
        assert held.is_alive()
        assert locks.try_hold("job") is None
        held.release()
        with locks.hold("job", timeout=120):
            pass
    finally:
        os.close(writing)
        os.waitpid(child, 0)


def test_leadership_goes_on_and_passes(locks: Locks) -> None:
    first, second = Leader(locks), Leader(locks)
    assert first.try_lead()
    assert first.try_lead()
    assert not second.try_lead()
    first.resign()
    assert not first.is_alive()
    assert second.try_lead()
    second.resign()


def test_a_lost_session_is_noticed(postgresql_database: Database, tmp_path: Path) -> None:
    leader = Leader(Locks(postgresql_database, tmp_path))
    assert leader.try_lead()
    with postgresql_database.session() as connection:
        # Of this database alone: other tests share the server.
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
    assert not leader.is_alive()
    assert leader.try_lead()
    leader.resign()


def test_a_deleted_lock_file_is_noticed(sqlite_database: Database, tmp_path: Path) -> None:
    leader = Leader(Locks(sqlite_database, tmp_path))
    assert leader.try_lead()
    (tmp_path / "locks" / "leader.lock").unlink()
    assert not leader.is_alive()
    assert leader.try_lead()
    leader.resign()


def test_a_lock_folder_that_is_a_file_is_an_error(sqlite_database: Database, tmp_path: Path) -> None:
    (tmp_path / "locks").write_text("in the way")
    with pytest.raises(StoreError, match="lock file cannot be opened"):
        Locks(sqlite_database, tmp_path).try_hold("job")


def test_the_home_is_shared_or_taken_alone(tmp_path: Path) -> None:
    home = HomeLock(tmp_path / "home")
    with home.shared(), home.shared(), pytest.raises(StoreBusyError, match="a node is running"), home.exclusive():
        pass
    with home.exclusive():
        for other in (home.shared, home.exclusive):
            with pytest.raises(StoreBusyError), other():
                pass
    with home.shared():
        pass


def test_a_lock_is_free_before_its_session_has_ended(postgresql_database: Database, tmp_path: Path) -> None:
    """The server takes its time to notice that a session ended."""
    locks = Locks(postgresql_database, tmp_path)
    held = locks.try_hold("a")
    assert isinstance(held, _AdvisoryLock)
    assert held._session is not None
    free: list[bool] = []

    def look() -> None:
        with locks.hold("a"):
            free.append(True)

    held._session.callback(look)  # called before the session is closed
    held.release()
    assert free == [True]


def test_many_threads_may_ask_whether_it_is_held(locks: Locks) -> None:
    answers: list[bool] = []
    with locks.hold("a") as held:
        threads = [
            threading.Thread(target=lambda: answers.extend(held.is_alive() for _ in range(30))) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert answers == [True] * 240
        assert held.is_alive()
