"""The parts of a report about the list: what stands on it, what came within the period, and what was withdrawn."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from hashpact_node.services.report_entries import Reading, Withdrawn, times_of
from hashpact_node.services.report_form import Figure, Maker, Section, Table
from hashpact_node.services.views import logs_by_number
from hashpact_node.store.connection import Connection
from hashpact_node.store.owners import find_owners
from hashpact_node.store.shown import list_shown
from hashpact_node.store.signals import count_actions
from hashpact_protocol.claims import Place
from hashpact_protocol.merge import Kind, Owner

STOCK: Final = ("hashes", "items")
FLOW: Final = ("items",)

_STOCK_ABOUT: Final = (
    "What stands on the merged list when the report is made. A hash counts once, however many members list it; an item "
    "is one listing of one member, and most items have several hashes. An item with several labels counts under each."
)
_FLOW_ABOUT: Final = (
    "Listings whose publisher dated them within the period, each once, withdrawn since or not. The date is the "
    "publisher's word."
)
_WITHDRAWN_ABOUT: Final = (
    "Listings that their publisher withdrew within the period, and that nobody has listed again since. How long that "
    "took counts from the release of the newest revision to that of its withdrawal: of this member's own logs as they "
    "were shown, to the minute, and to the hour where it is more than 30 days ago; of others by the times that they "
    "wrote."
)


def stock_section(connection: Connection, reading: Reading, make: Maker) -> Section:
    """Tell what stands on the list."""
    actions = {action.word: (count,) for action, count in count_actions(connection).items()}
    preserved = {"yes": (reading.preserved,), "no": (reading.items_total - reading.preserved,)}
    return Section(
        "list",
        "The list as it stands",
        _STOCK_ABOUT,
        (
            make.figure("hashes", "Distinct hashes", reading.hashes_total),
            make.figure("items", "Distinct items", reading.items_total),
        ),
        (
            *(
                make.table(f"list-by-{by}", f"By {by}", by, STOCK, _both(reading, by))
                for by in ("publisher", "label", "content", "type")
            ),
            make.table("list-by-preservation", "To be preserved as evidence", "preserve", ("items",), preserved),
            make.table("list-by-action", "By recommended action", "action", ("hashes",), actions),
        ),
    )


def flow_section(reading: Reading, make: Maker) -> Section:
    """Tell what was listed within the period."""
    total = sum(reading.listed.values())
    days = {day: (count,) for day, count in reading.listed.items()}
    by = [
        make.table(f"listed-by-{one}", f"By {one}", one, FLOW, _single(reading.listed_by.get(one, Counter())))
        for one in ("publisher", "label")
    ]
    tables = (make.calendar("listed-by-month", "By month", FLOW, days), *by)
    return Section(
        "listed", "Listed in the period", _FLOW_ABOUT, (make.figure("listed", "Items listed", total),), tables
    )


def withdrawal_section(connection: Connection, reading: Reading, make: Maker) -> Section:
    """Tell what was withdrawn within the period, and how long that took."""
    found = _effective(connection, reading.withdrawn)
    spans = _spans(connection, found)
    publishers, reasons = _counted(one.member for one, _ in found), _counted(one.reason for one, _ in found)
    tables: tuple[Table, ...] = (
        make.table("withdrawn-by-publisher", "By publisher", "publisher", FLOW, publishers),
        make.table("withdrawn-by-reason", "By reason", "reason", FLOW, reasons),
    )
    figures: tuple[Figure, ...] = (
        make.figure("withdrawn", "Items withdrawn", len(found)),
        *make.spans("withdrawn-own", "This member's own withdrawals", spans[True]),
        *make.spans("withdrawn-others", "Withdrawals of other members", spans[False]),
    )
    return Section("withdrawals", "Withdrawals", _WITHDRAWN_ABOUT, figures, tables)


def _both(reading: Reading, by: str) -> dict[str, tuple[int, int]]:
    hashes, items = reading.hashes.get(by, Counter()), reading.items.get(by, Counter())
    return {name: (hashes[name], items[name]) for name in {*hashes, *items}}


def _single(counter: Counter[str]) -> dict[str, tuple[int, ...]]:
    return {name: (count,) for name, count in counter.items()}


def _counted(names: Iterable[str]) -> dict[str, tuple[int, ...]]:
    return _single(Counter(names))


def _effective(connection: Connection, withdrawn: list[Withdrawn]) -> list[tuple[Withdrawn, Owner]]:
    """Give the last withdrawal of each listing that there is, with where the listing's newest revision stands."""
    by_sequence: dict[int, dict[bytes, Withdrawn]] = {}
    for one in withdrawn:
        by_sequence.setdefault(one.sequence, {})[one.listing] = one
    found = []
    for sequence, ones in by_sequence.items():
        for listing, owner in find_owners(connection, sequence, ones).items():
            if owner.kind == Kind.LISTING and not owner.live:
                found.append((ones[listing], owner))
    return found


def _spans(connection: Connection, found: list[tuple[Withdrawn, Owner]]) -> dict[bool, list[int]]:
    """Give how many seconds it was from each listing to its withdrawal, of our own (True) and of others."""
    logs = logs_by_number(connection)
    said = times_of(connection, {Place(owner.log, owner.position) for _, owner in found}, logs)
    records = {log: _record(connection, log) for log in {one.log for one, _ in found if one.own}}
    spans: dict[bool, list[int]] = {True: [], False: []}
    for one, owner in found:
        shown = _shown_at(records, one, owner)
        if shown is not None:
            spans[one.own].append(shown)
        elif (owner.log, owner.position) in said:
            listed = said[Place(owner.log, owner.position)]
            spans[one.own].append(max(0, _seconds(one.time) - _seconds(listed)))
    return spans


def _record(connection: Connection, log: int) -> tuple[list[int], list[int]]:
    """Give the sizes that an own log showed, the smallest first, and when each was first shown."""
    record = list_shown(connection, log)
    return [one.size for one in record], [one.shown_at for one in record]


def _shown_at(records: Mapping[int, tuple[list[int], list[int]]], one: Withdrawn, owner: Owner) -> int | None:
    """Give the seconds between both releases, where both are on record; a record that begins later knows neither."""
    if owner.log != one.log or one.log not in records:
        return None
    sizes, times = records[one.log]
    at = [bisect_right(sizes, position) for position in (owner.position, one.position)]
    if at[0] == 0 or at[1] == len(sizes):
        return None  # what stands in the first size on record may have been released long before
    return max(0, times[at[1]] - times[at[0]])


def _seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())
