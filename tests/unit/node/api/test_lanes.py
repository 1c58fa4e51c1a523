from __future__ import annotations

import asyncio
import threading

from anyio import CapacityLimiter

from hashpact_node.api.lanes import run_in


def test_a_lane_holds_so_many_at_once() -> None:
    running, most = 0, 0
    lock = threading.Lock()
    full = threading.Event()

    def work(number: int, *, doubled: bool) -> int:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
            if running == 2:
                full.set()
        assert full.wait(120)
        with lock:
            running -= 1
        return number * 2 if doubled else number

    async def run() -> list[int]:
        lane = CapacityLimiter(2)
        return await asyncio.gather(*(run_in(lane, work, number, doubled=True) for number in range(6)))

    assert asyncio.run(run()) == [0, 2, 4, 6, 8, 10]
    assert most == 2
