"""What a reader ends with, whatever a log and the server in front of it do: a verified head, or the one it had.

Real pulls of a real database over real HTTP, in any order, from a publisher that lies about any of its answers.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from databases import SqliteFiles, opened
from follower import Follower
from hashpact_node.net.fetcher import Fetcher
from hashpact_node.store.logs import Log
from hashpact_node.store.signals import find_signals
from hashpact_protocol.errors import ForkError, HashpactError
from hashpact_protocol.merkle import CompactRange, leaf_hash
from liar import ABOUT_CHECKPOINTS, ABOUT_DATA, EVERY, FORGED, FORGED_ENTRIES, Liar, Lie, signal_of
from own_member import found_member

ENTRIES_MAX = 1_600
COUNTS = st.integers(1, 40) | st.sampled_from([212, 255, 256, 257, 400, 520])
NUMBERS = st.integers(0, 700)
ONE_LIE = st.tuples(st.sampled_from(ABOUT_CHECKPOINTS), NUMBERS)
DATA_LIES = st.lists(
    st.none() | st.tuples(st.sampled_from([*ABOUT_DATA, FORGED_ENTRIES, FORGED_ENTRIES]), NUMBERS), max_size=6
)


class Following(RuleBasedStateMachine):
    """A reader and a liar; what the reader holds is looked at after every pull."""

    def __init__(self, sqlite_files: SqliteFiles, fetcher: Fetcher) -> None:
        super().__init__()
        self._open = ExitStack()
        folder = Path(self._open.enter_context(tempfile.TemporaryDirectory()))
        database = self._open.enter_context(opened(sqlite_files.url(folder)))
        self.liar = Liar()
        self._open.enter_context(self.liar)
        self.reader = Follower(found_member(database, folder / "home", database.where), fetcher)
        # One thread, so that the same plan meets the same requests.
        self.reader.puller.settings = replace(self.reader.puller.settings, fetch_threads=1)
        self.reader.add(self.liar)

    def teardown(self) -> None:
        """Close the reader's database and the liar's server."""
        self.liar.unexpected.clear()  # whoever is lied to asks for what there is not
        self._open.close()

    def pull(self) -> list[HashpactError]:
        """Pull once, and see that nothing is lost and that what failed is shown."""
        before = self.reader.log(self.liar)
        held = CompactRange.decode(before.held_size, before.held_range)
        errors = self.reader.pull(self.liar)
        log = self.reader.log(self.liar)
        assert log.held_size >= held.size
        assert log.accepted_size >= before.accepted_size
        if log.held_size == held.size:
            assert log.held_range == before.held_range
        assert {error.code for error in errors} <= self.reader.alarms().keys()
        assert bool(errors) is (self.reader.peer().last_error is not None)
        self.see_that_nothing_unverified_is_shown()
        return errors

    def see_that_nothing_unverified_is_shown(self) -> None:
        """Claims are those of the entries held, which are those that the accepted root was signed over."""
        log = self.reader.log(self.liar)
        size = self.reader.held(self.liar)
        assert size <= log.accepted_size
        story = self.story(log)
        live = self.reader.live(self.liar)
        assert live == list(range(0, size, EVERY))
        wanted = self.liar.signals(story, size)
        every = {signal_of(told, at).key for told in range(len(self.liar.stories)) for at in range(0, 4_000, EVERY)}
        with self.reader.database.read() as connection:
            found = find_signals(connection, [*every, FORGED.key]).keys()
        assert found == wanted

    def story(self, log: Log) -> int:
        """Give a story that the reader holds the beginning of; there must be one, up to the accepted size."""
        for story, entries in enumerate(self.liar.stories):
            leaves = [leaf_hash(entry) for entry in entries[: log.accepted_size]]
            tree = CompactRange().extend(leaves)
            held = CompactRange().extend(leaves[: log.held_size])
            if (log.accepted_size, log.accepted_root) == (tree.size, tree.root()) and held.encode() == log.held_range:
                return story
        raise AssertionError(f"no story has the {log.held_size} and {log.accepted_size} entries that are in force")

    @rule(count=COUNTS)
    @precondition(lambda self: len(self.liar.stories[self.liar.story]) < ENTRIES_MAX)
    def grow(self, count: int) -> None:
        self.liar.grow(count)

    @rule(at=st.integers(0, ENTRIES_MAX), count=COUNTS)
    @precondition(lambda self: len(self.liar.stories) < 4)
    def fork(self, at: int, count: int) -> None:
        self.liar.fork(at, count)

    @rule(shown=st.none() | st.integers(0, ENTRIES_MAX))
    def show_less(self, shown: int | None) -> None:
        size = len(self.liar.log.entries)
        self.liar.log.shown = None if shown is None else shown % (size + 1)

    @rule(minutes=st.integers(1, 30))
    def wait(self, minutes: int) -> None:
        self.reader.later(minutes=minutes)
        self.liar.now = self.reader.clock[0]

    @rule(zstd=st.booleans())
    def compress(self, *, zstd: bool) -> None:
        self.liar.zstd = zstd

    @rule(lie=ONE_LIE)
    def hear_a_wrong_checkpoint(self, lie: Lie) -> None:
        self.liar.about_checkpoints.append(lie)
        self.pull_from_a_liar()

    @rule(count=COUNTS, plan=DATA_LIES)
    @precondition(lambda self: len(self.liar.stories[self.liar.story]) < ENTRIES_MAX)
    def grow_and_serve_lies(self, count: int, plan: list[Lie | None]) -> None:
        self.liar.log.shown = None
        self.liar.grow(count)
        self.liar.about_data.extend(plan)
        self.pull_from_a_liar()

    @rule(story=NUMBERS, lie=ONE_LIE | st.none(), plan=DATA_LIES)
    def fork_and_serve_lies(self, story: int, lie: Lie | None, plan: list[Lie | None]) -> None:
        self.liar.tell(story % len(self.liar.stories))
        self.liar.about_checkpoints.append(lie)
        self.liar.about_data.extend(plan)
        self.pull_from_a_liar()

    def pull_from_a_liar(self) -> None:
        self.pull()
        self.liar.about_checkpoints.clear()
        self.liar.about_data.clear()
        self.liar.unexpected.clear()

    @rule()
    def pull_what_is_told(self) -> None:
        """No lie but the story: what continues the list held is taken up whole, and nothing else is."""
        before = self.reader.log(self.liar)
        mine = self.liar.stories[self.story(before)][: before.accepted_size]
        shown = self.liar.log.size
        told = self.liar.log.entries[:shown]
        common = min(len(mine), shown)
        errors = self.pull()
        self.liar.unexpected.clear()
        if mine[:common] == told[:common]:
            assert errors == []
            assert self.reader.log(self.liar).accepted_size == max(shown, len(mine))
        else:
            assert errors
            assert self.reader.log(self.liar).accepted_size == before.accepted_size
            if shown <= before.held_size or shown == before.accepted_size:
                assert [type(error) for error in errors] == [ForkError]

    @rule()
    def turn_honest(self) -> None:
        """Tell what the reader holds, and more: it converges at once."""
        self.liar.tell(self.story(self.reader.log(self.liar)))
        self.liar.log.shown = None
        self.liar.grow(3)
        assert self.pull() == []
        assert self.reader.held(self.liar) == self.liar.log.size
        assert self.reader.log(self.liar).accepted_root == self.liar.log.root()
        assert self.liar.unexpected == []


@pytest.fixture
def _long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a gap of more than 300 entries be a long one, and 2 bundles a batch."""
    monkeypatch.setattr("hashpact_node.services.catch_up.ENTRIES_ALONE", 300)
    for module in ("catch_up", "prefetch"):
        monkeypatch.setattr(f"hashpact_node.services.{module}.BATCH_BUNDLES", 2)


@pytest.mark.usefixtures("_long")
def test_a_reader_ends_at_a_verified_head_or_keeps_its_own(sqlite_files: SqliteFiles, fetcher: Fetcher) -> None:
    def machine() -> Following:
        return Following(sqlite_files, fetcher)

    run_state_machine_as_test(
        machine,  # type: ignore[arg-type]  # whatever makes a machine will do, not only its class
        settings=settings(max_examples=15, stateful_step_count=16),
    )
