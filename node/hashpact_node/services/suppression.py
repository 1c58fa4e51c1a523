"""Keep small counts of a published table from being read, or worked out from what stands beside them.

A count from 1 up to but without the threshold is withheld: it may point to a single item, or to whoever put it there.
That alone is not enough where the sum is known: then what is withheld is the sum without what is shown. So more rows
are withheld, the smallest first, until each of them could be as large as the threshold for all that anybody can tell.
That is so when the ``k`` withheld ones make up at least ``threshold + k - 1``, each being at least 1. Where there are
no more rows, the whole table is withheld. Zeros are shown: there is nothing behind them.

This holds for one report. Two of periods that overlap can be set off against each other: docs/operations.md says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Counts = tuple[int, ...]
Shown = tuple[int | None, ...]
"""The counts of a row as they are shown; None for one that is withheld."""


def suppress(rows: Mapping[str, Counts], threshold: int) -> dict[str, Shown] | None:
    """Give the rows of a table as they may be shown; None where the table must not be shown at all.

    Each row has the same measures, whose sums over the rows may be known. A row of which one count is withheld shows
    none, since one measure of few things tells of the other. A threshold of 1 or less withholds nothing.
    """
    withheld = {name for name, counts in rows.items() if any(is_small(count, threshold) for count in counts)}
    while withheld and not all(_safe(rows, withheld, measure, threshold) for measure in _measures(rows)):
        left = [name for name in rows if name not in withheld and any(rows[name])]
        if not left:
            return None
        withheld.add(min(left, key=lambda name: (rows[name], name)))
    return {name: tuple(None if name in withheld else count for count in counts) for name, counts in rows.items()}


def is_small(count: int, threshold: int) -> bool:
    """Say whether a count by itself is to be withheld."""
    return 0 < count < threshold


def shown(count: int, threshold: int) -> int | None:
    """Give a count that stands by itself as it may be shown; None where it is withheld."""
    return None if is_small(count, threshold) else count


def _safe(rows: Mapping[str, Counts], withheld: set[str], measure: int, threshold: int) -> bool:
    """Say whether nobody who knows the sum can tell that one of the withheld counts is small, and not zero.

    Where the sum over the whole table is small, it is withheld wherever it stands, and one zero among what is withheld
    is enough: each of them could be zero, for all that anybody can tell.
    """
    counts = [rows[name][measure] for name in withheld]
    some = sum(1 for count in counts if count)
    if not some:
        return True
    unknown = some < len(counts) and is_small(sum(row[measure] for row in rows.values()), threshold)
    return len(counts) > 1 and (unknown or sum(counts) >= threshold + some - 1)


def _measures(rows: Mapping[str, Counts]) -> range:
    first: Sequence[int] = next(iter(rows.values()), ())
    return range(len(first))
