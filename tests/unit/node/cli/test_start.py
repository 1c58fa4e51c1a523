"""The start of the program: who hears Ctrl-C, and when."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from hashpact_node.cli import main, start


@pytest.fixture(autouse=True)
def handler() -> Iterator[None]:
    """Put the handler of this process back."""
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Who hears Ctrl-C while the command runs, which ends with exit code 3."""
    found: list[object] = []

    def app() -> None:
        found.append(signal.getsignal(signal.SIGINT))
        raise SystemExit(3)

    monkeypatch.setattr(main, "app", app)
    return found


def test_only_a_command_that_runs_hears_ctrl_c(seen: list[object]) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with pytest.raises(SystemExit, match="3"):
        start.main()
    assert seen == [signal.default_int_handler]
    assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL


def test_an_ignored_ctrl_c_stays_ignored(seen: list[object]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with pytest.raises(SystemExit, match="3"):
        start.main()
    assert seen == [signal.SIG_IGN]
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
