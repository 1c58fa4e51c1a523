"""Lanes for work that takes long, so that it never keeps lookups and readers of logs from a thread."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import Request

_T = TypeVar("_T")


class Lanes:
    """How many of each kind of work run at once; others wait for their turn, without a thread.

    ``publishing`` waits for releases, ``peers`` for other members' servers, ``hashing`` takes memory: a picture some
    240 MB while it is decoded. ``reading`` reads whole logs, ``pages`` up to 10 000 signals with their claims,
    ``blobs`` up to 16 MiB each,
    ``scraping`` counts what is listed after each change.
    ``witness`` checks what members ask to be cosigned. ``tokens`` reads the tokens, and writes who used them.
    ``admission`` checks signatures of requests, which anybody may send; ``nonces`` writes down what members signed, and
    waits for whoever writes before.
    """

    def __init__(self) -> None:
        self.publishing = CapacityLimiter(32)
        self.peers = CapacityLimiter(8)
        self.hashing = CapacityLimiter(2)
        self.reading = CapacityLimiter(2)
        self.pages = CapacityLimiter(2)
        self.blobs = CapacityLimiter(4)
        self.scraping = CapacityLimiter(1)
        self.witness = CapacityLimiter(4)
        self.tokens = CapacityLimiter(2)
        self.admission = CapacityLimiter(4)
        self.nonces = CapacityLimiter(4)


def lanes_of(request: Request) -> Lanes:
    """Give the lanes of the application."""
    lanes: Lanes = request.app.state.lanes
    return lanes


async def run_in(lane: CapacityLimiter, work: Callable[..., _T], *arguments: Any, **options: Any) -> _T:
    """Run work in a thread of a lane."""
    return await run_sync(partial(work, *arguments, **options), limiter=lane)
