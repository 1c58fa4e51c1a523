"""Exit codes, and whether a node is running."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from hashpact_node.cli.common import ExitCode, exit_code, is_running
from hashpact_node.store.locks import HomeLock
from hashpact_protocol import errors
from hashpact_protocol.errors import HashpactError


def tree(kind: type[HashpactError] = HashpactError) -> Iterator[type[HashpactError]]:
    yield kind
    for one in kind.__subclasses__():
        if one.__module__ == errors.__name__:
            yield from tree(one)


MEANT = {
    "not-found": ExitCode.NOT_FOUND,
    "gone": ExitCode.NOT_FOUND,
    "conflict": ExitCode.BUSY,
    "store-busy": ExitCode.BUSY,
    "store-moved": ExitCode.BUSY,
    "store-failed": ExitCode.STORAGE,
    "store-full": ExitCode.STORAGE,
    "store-newer": ExitCode.STORAGE,
    "key-unavailable": ExitCode.KEYS,
    "request-invalid": ExitCode.USAGE,
    "configuration-invalid": ExitCode.USAGE,
    "malformed": ExitCode.USAGE,
    "statement-malformed": ExitCode.USAGE,
    "signal-malformed": ExitCode.USAGE,
    "proof-malformed": ExitCode.USAGE,
    "evidence-malformed": ExitCode.USAGE,
    "name-malformed": ExitCode.USAGE,
}


@pytest.mark.parametrize("kind", list(tree()), ids=lambda kind: kind.__name__)
def test_exit_code_of_every_error(kind: type[HashpactError]) -> None:
    error = kind("x", status=500) if kind is errors.FetchStatusError else kind("x")
    assert exit_code(error) == MEANT.get(kind.code, ExitCode.FAILED)


def test_a_node_that_shares_the_lock_is_running(tmp_path: Path) -> None:
    assert not is_running(tmp_path)
    with HomeLock(tmp_path).shared():
        assert is_running(tmp_path)
    assert not is_running(tmp_path)


def test_a_command_that_looks_at_the_same_moment_is_no_node(tmp_path: Path) -> None:
    held, go = threading.Event(), threading.Event()

    def look() -> None:
        with HomeLock(tmp_path).exclusive():
            held.set()
            go.wait(0.01)

    thread = threading.Thread(target=look)
    thread.start()
    held.wait()
    assert not is_running(tmp_path)
    thread.join()
