"""Keep the cyclic garbage collector from walking over rows that are made by the hundred thousand and hold no cycles."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_inside = 0


@contextmanager
def without_collecting() -> Iterator[None]:
    """Run the body without cyclic collection; threads may overlap, and the last to leave switches it on again."""
    global _inside  # noqa: PLW0603 - the collector is one for the whole process, and so is the count
    with _lock:
        _inside += 1
        gc.disable()
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                gc.enable()
