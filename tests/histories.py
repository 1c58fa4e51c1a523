"""Histories of several members, for laws about what is derived from them."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from hashpact_protocol.signals import Signal
from hashpact_protocol.statements import WellFormed
from members import listing, pdq, sha256, withdrawal

MEMBERS = ("acme", "beta", "gamma")
IDS = 4
SIGNALS: tuple[Signal, ...] = (sha256(1), sha256(2), pdq(1), pdq(2, 30))
LABELS = ("a", "b")
EXPIRIES = (None, None, "2026-11-24T04:30:00Z")


@dataclass(frozen=True)
class Batch:
    """What one member appends in one go."""

    member: str
    statements: tuple[WellFormed, ...]


@st.composite
def _statements(draw: st.DrawFn) -> WellFormed:
    number = draw(st.integers(1, IDS))
    if draw(st.integers(0, 3)) == 0:
        return withdrawal(draw(st.integers(100, 110)), number)
    signals = draw(st.lists(st.sampled_from(SIGNALS), min_size=1, max_size=2, unique_by=lambda signal: signal.key))
    labels = draw(st.lists(st.sampled_from(LABELS), max_size=2, unique=True))
    return listing(number, *signals, labels=labels, expires=draw(st.sampled_from(EXPIRIES)))


def histories(max_batches: int = 8) -> st.SearchStrategy[list[Batch]]:
    """Give lists of batches: few ids and few signals, so that they restate, withdraw and claim alike."""
    statements = st.lists(_statements(), min_size=1, max_size=4).map(tuple)
    return st.lists(st.builds(Batch, st.sampled_from(MEMBERS), statements), min_size=1, max_size=max_batches)
