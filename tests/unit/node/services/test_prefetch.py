"""Bundles come in order, whoever fetches them first, and no more of them wait than the budget allows."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashpact_node.net.peer_logs import BundleAnswer
from hashpact_node.services import prefetch
from hashpact_node.services.batches import Frame
from hashpact_node.services.prefetch import BATCH_BUNDLES, FrameQueue, Prefetcher
from hashpact_protocol.errors import FetchError
from hashpact_protocol.limits import LIMITS

PATIENCE_SECONDS = 120.0


def answer(number: int, length: int = 10) -> BundleAnswer:
    return BundleAnswer(b"%d" % number + bytes(length), "identity", 256)


class Source:
    """Gives bundles of ``length`` bytes and some, and takes down which were begun and done; ``gate`` holds it up."""

    def __init__(self, length: int = 10) -> None:
        self.length = length
        self.begun: list[int] = []
        self.done: list[int] = []
        self.fails: dict[int, Exception] = {}
        self.gate: Callable[[int], object] = lambda _number: None

    def __call__(self, number: int) -> BundleAnswer:
        self.begun.append(number)
        self.gate(number)
        self.done.append(number)
        if number in self.fails:
            raise self.fails[number]
        return answer(number, self.length)


def wait_until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.001)


def fetching() -> int:
    """How many threads of a Prefetcher there are."""
    return sum(thread.name.startswith("fetch-") for thread in threading.enumerate())


def stays(source: Source, begun: list[int]) -> None:
    """Wait until these are begun, and see that no more are."""
    wait_until(lambda: sorted(source.begun) == begun)
    time.sleep(0.02)
    assert sorted(source.begun) == begun


@pytest.mark.parametrize("threads", [1, 3, 8])
def test_all_come_once_and_in_order(threads: int) -> None:
    source = Source()
    with Prefetcher(source, 7, 500, threads=threads) as answers:
        assert list(answers) == [(number, answer(number)) for number in range(7, 500)]
    assert sorted(source.begun) == list(range(7, 500))


def test_the_first_comes_first_when_it_is_the_last_to_be_fetched() -> None:
    source = Source()

    def gate(number: int) -> None:
        if number == 0:
            wait_until(lambda: len(source.done) == 9)

    source.gate = gate
    with Prefetcher(source, 0, 10, threads=2) as answers:
        assert [number for number, _ in answers] == list(range(10))
    assert source.done[-1] == 0


@pytest.mark.parametrize(("first", "last"), [(5, 5), (5, 4)])
def test_nothing_to_fetch(first: int, last: int) -> None:
    source = Source()
    with Prefetcher(source, first, last, threads=4) as answers:
        assert list(answers) == []
    assert source.begun == []


def test_no_more_threads_than_there_is_to_fetch() -> None:
    source = Source()
    hold = threading.Event()
    source.gate = lambda _number: hold.wait(PATIENCE_SECONDS)
    with Prefetcher(source, 0, 2, threads=16) as answers:
        stays(source, [0, 1])
        assert fetching() == 2
        hold.set()
        assert len(list(answers)) == 2
    assert fetching() == 0


@pytest.mark.parametrize("error", [FetchError("gone", where="there"), ValueError("a mistake of ours")])
def test_an_error_comes_at_its_turn_and_whole(error: Exception) -> None:
    source = Source()
    source.fails[3] = error
    with Prefetcher(source, 0, 6, threads=6) as answers:
        wait_until(lambda: len(source.done) == 6)
        steps = iter(answers)
        assert [next(steps)[0] for _ in range(3)] == [0, 1, 2]
        with pytest.raises(type(error)) as caught:
            next(steps)
    assert caught.value is error


def test_what_comes_before_an_error_is_given() -> None:
    source = Source()
    source.fails = {1: FetchError("one"), 2: FetchError("two")}
    with Prefetcher(source, 0, 3, threads=1) as answers:
        steps = iter(answers)
        assert next(steps) == (0, answer(0))
        with pytest.raises(FetchError, match="one"):
            next(steps)
        with pytest.raises(StopIteration):
            next(steps)


def test_no_more_are_begun_while_the_budget_of_bytes_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefetch, "AHEAD_MAX_BYTES", 100)
    source = Source(length=59)  # and a digit
    with Prefetcher(source, 0, 6, threads=1) as answers:
        steps = iter(answers)
        stays(source, [0, 1])
        next(steps)
        stays(source, [0, 1, 2])
        next(steps)
        stays(source, [0, 1, 2, 3])
        assert [number for number, _ in steps] == [2, 3, 4, 5]


def test_one_that_is_larger_than_the_budget_comes_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefetch, "AHEAD_MAX_BYTES", 100)
    source = Source(length=1_000)
    with Prefetcher(source, 0, 4, threads=2) as answers:
        assert [number for number, _ in answers] == [0, 1, 2, 3]


def test_errors_weigh_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefetch, "AHEAD_MAX_BYTES", 1)
    source = Source()
    source.fails = {number: FetchError("no") for number in range(5)}
    with Prefetcher(source, 0, 5, threads=1):
        stays(source, [0, 1, 2, 3, 4])


def test_only_so_many_are_fetched_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefetch, "AHEAD_MAX", 3)
    source = Source()
    with Prefetcher(source, 10, 20, threads=2) as answers:
        steps = iter(answers)
        stays(source, [10, 11, 12])
        next(steps)
        stays(source, [10, 11, 12, 13])


def test_the_budget_is_what_it_says() -> None:
    assert (prefetch.AHEAD_MAX, prefetch.AHEAD_MAX_BYTES) == (320, 32 * 1024 * 1024)
    assert BATCH_BUNDLES * LIMITS.bundle_width == 49_152 <= LIMITS.batch_max_entries


def test_leaving_waits_for_what_is_being_fetched_and_begins_no_more() -> None:
    source = Source()
    hold = threading.Event()
    source.gate = lambda _number: hold.wait(PATIENCE_SECONDS)
    with Prefetcher(source, 0, 100, threads=3):
        stays(source, [0, 1, 2])
        timer = threading.Timer(0.05, hold.set)
        timer.start()
    timer.join()
    assert sorted(source.done) == [0, 1, 2]
    assert fetching() == 0


def test_leaving_wakes_those_who_wait_for_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefetch, "AHEAD_MAX_BYTES", 1)
    source = Source()
    with Prefetcher(source, 0, 100, threads=1):
        stays(source, [0])
    assert source.begun == [0]
    assert fetching() == 0


def test_leaving_with_an_error_lets_it_through() -> None:
    with pytest.raises(LookupError), Prefetcher(Source(), 0, 100, threads=2):
        raise LookupError
    assert fetching() == 0


def frames(*numbers: int, length: int = 10) -> list[Frame]:
    return [Frame(number, 256, bytes(length), "identity") for number in numbers]


def numbers(taken: list[Frame]) -> list[int]:
    return [frame.number for frame in taken]


def test_batches_end_at_multiples_whatever_number_comes_first() -> None:
    queue = FrameQueue(iter(frames(*range(150, 400))))
    assert [numbers(queue.take()) for _ in range(4)] == [
        list(range(150, 192)),
        list(range(192, 384)),
        list(range(384, 400)),
        [],
    ]


def test_batches_end_when_they_are_large() -> None:
    half = LIMITS.batch_max_bytes // 2
    queue = FrameQueue(iter([*frames(0, 1, 2, length=half), *frames(3, 4)]))
    assert [numbers(queue.take()) for _ in range(3)] == [[0, 1], [2, 3, 4], []]


def test_filling_gathers_one_batch_and_no_more() -> None:
    source = iter(frames(*range(600)))
    queue = FrameQueue(source)
    for _ in range(3):
        queue.fill()
    assert next(source).number == 192
    assert numbers(queue.take()) == list(range(192))


def test_what_did_not_fit_comes_first() -> None:
    queue = FrameQueue(iter(frames(*range(190, 195))))
    taken = queue.take()
    assert numbers(taken) == [190, 191]
    queue.fill()
    queue.put_back(taken[1:])
    assert [numbers(queue.take()) for _ in range(3)] == [[191], [192, 193, 194], []]


@given(st.integers(0, 600), st.integers(0, 600), st.lists(st.integers(1, 300), max_size=8))
def test_every_frame_comes_once_whatever_is_put_back(first: int, count: int, kept: list[int]) -> None:
    queue = FrameQueue(iter(frames(*range(first, first + count))))
    seen: list[int] = []
    while taken := queue.take():
        fits = kept.pop() if kept else len(taken)
        seen += numbers(taken[:fits])
        queue.put_back(taken[fits:])
    assert seen == list(range(first, first + count))


def test_what_came_before_an_error_is_a_batch_and_the_error_waits() -> None:
    def broken() -> Iterator[Frame]:
        yield from frames(*range(186, 196))
        raise FetchError("gone", where="there")

    queue = FrameQueue(broken())
    assert numbers(queue.take()) == list(range(186, 192))
    queue.check()
    assert numbers(queue.take()) == list(range(192, 196))
    assert queue.take() == []
    with pytest.raises(FetchError, match="gone"):
        queue.check()


def test_a_mistake_of_ours_does_not_wait() -> None:
    def broken() -> Iterator[Frame]:
        yield from frames(0)
        raise LookupError

    with pytest.raises(LookupError):
        FrameQueue(broken()).take()


def test_there_is_nothing_to_tell_when_all_came() -> None:
    queue = FrameQueue(iter(frames(0)))
    queue.take()
    queue.take()
    queue.check()
