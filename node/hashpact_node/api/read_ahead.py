"""Reads bundles ahead of those who read a log from its beginning: they ask for one after another, by thousands.

A transaction of the database costs many times what sending a bundle does, so one transaction reads a block of full
bundles, and the requests that follow find theirs in memory. Only full bundles are kept, which never change, and only
for a moment, so that what becomes of their log is seen. What is not here is asked of :class:`LogFiles`, which alone
knows why something is not served.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from starlette.concurrency import run_in_threadpool

from hashpact_node import clock
from hashpact_node.store.bundles import stream_bundles
from hashpact_node.store.database import Database
from hashpact_node.store.logs import find_log
from hashpact_node.store.peers import find_own
from hashpact_protocol.names import MemberUrl
from hashpact_protocol.tiles import FULL_WIDTH, tile_count

BLOCK_BUNDLES: Final = 32
BLOCK_MAX_BYTES: Final = 4 * 1024 * 1024
BLOCKS: Final = 16
KEPT_SECONDS: Final = 1.0

Block = dict[int, bytes]
"""Full bundles by number, as zstd frames."""


@dataclass(frozen=True, slots=True)
class _Kept:
    until: float
    loading: asyncio.Task[Block]


class ReadAhead:
    """Gives full bundles of own logs as they are stored; for one event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._blocks: OrderedDict[tuple[str, int], _Kept] = OrderedDict()

    async def bundle(self, log: str, number: int) -> bytes | None:
        """Give a full bundle of the log at ``/logs/{log}``; None where there is none to be had here. StoreError."""
        block = await self._block(log, number // BLOCK_BUNDLES)
        return block.get(number)

    async def _block(self, log: str, at: int) -> Block:
        key = (log, at)
        now = clock.monotonic()
        kept = self._blocks.get(key)
        if kept is None or kept.until < now:
            # Whoever asks meanwhile waits for the same task, and nobody who goes away cancels it.
            kept = _Kept(now + KEPT_SECONDS, asyncio.create_task(run_in_threadpool(self._load, log, at)))
            self._blocks[key] = kept
            self._blocks.move_to_end(key)
            if len(self._blocks) > BLOCKS:
                self._blocks.popitem(last=False)
        if kept.loading.done():
            return kept.loading.result()
        return await asyncio.shield(kept.loading)

    def _load(self, name: str, at: int) -> Block:
        with self._database.read() as connection:
            own = find_own(connection)
            if own is None:
                return {}
            log = find_log(connection, f"{MemberUrl.parse(own.url).prefix}/logs/{name}")
            if log is None or log.peer != own.number or not log.named or log.state != "open":
                return {}
            first = at * BLOCK_BUNDLES
            end = min(first + BLOCK_BUNDLES, tile_count(0, log.accepted_size))
            block: Block = {}
            size = 0
            for bundle in stream_bundles(connection, log.number, first, end):
                size += len(bundle.data)
                if bundle.width == FULL_WIDTH:
                    block[bundle.number] = bundle.data
                if size > BLOCK_MAX_BYTES:
                    break
            return block
