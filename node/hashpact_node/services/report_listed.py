"""The parts of a report about the list: what stands on it, what came within the period, and what was withdrawn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from hashpact_node.services.report_entries import Reading
from hashpact_node.services.report_form import Maker, Section
from hashpact_node.services.report_withdrawn import Withdrawn
from hashpact_node.store.connection import Connection
from hashpact_node.store.signals import count_actions

STOCK: Final = ("hashes", "items")
STOCK_AND_FLOW: Final = (*STOCK, "listed in the period", "withdrawn in the period")
FLOW: Final = ("items",)

_STOCK_ABOUT: Final = (
    "What stands on the merged list when the report is made. A hash counts once, however many members list it; an item "
    "is one listing of one member, and most items have several hashes. An item with several labels counts under each."
)
_FLOW_ABOUT: Final = (
    "Items that their publisher dated within the period, each once, withdrawn since or not. The date is the "
    "publisher's word."
)
_WITHDRAWN_ABOUT: Final = (
    "Items that their publisher withdrew within the period, and that nobody has listed again since. How long that "
    "took counts from the release of the newest revision to that of its withdrawal: of this member's own logs as they "
    "were shown, to the minute, and to the hour where it is more than 30 days ago; of others by the times that they "
    "wrote."
)


def stock_section(connection: Connection, reading: Reading, withdrawn: Sequence[Withdrawn], make: Maker) -> Section:
    """Tell what stands on the list, and how it came to that within the period."""
    members = Counter(one.member for one in withdrawn)
    labels = Counter(label for one in withdrawn for label in one.labels)
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
            make.table(
                "list-by-publisher", "By publisher", "publisher", STOCK_AND_FLOW, _flow(reading, "publisher", members)
            ),
            make.table("list-by-label", "By label", "label", STOCK_AND_FLOW, _flow(reading, "label", labels)),
            make.table("list-by-content", "By content", "content", STOCK, _stock(reading, "content")),
            make.table("list-by-type", "By signal type", "type", STOCK, _stock(reading, "type")),
            make.table("list-by-preservation", "To be preserved as evidence", "preserve", FLOW, preserved),
            make.table("list-by-action", "By recommended action", "action", ("hashes",), actions),
        ),
    )


def flow_section(reading: Reading, withdrawn: Sequence[Withdrawn], make: Maker) -> Section:
    """Tell what was listed within the period.

    Where that would tell how few were withdrawn, or had been there before, as what is not on the list now, it is
    withheld.
    """
    title = "Listed in the period"
    total = sum(reading.listed.values())
    before = reading.items_total - total + len(withdrawn)
    figure = make.figure("listed", "Items listed", total)
    if any(make.withholds(abs(count)) for count in (total, len(withdrawn), before)):
        return Section("listed", title, _FLOW_ABOUT, (make.withheld("listed", "Items listed"),))
    days = {day: (count,) for day, count in reading.listed.items()}
    return Section("listed", title, _FLOW_ABOUT, (figure,), (make.calendar("listed-by-month", "By month", FLOW, days),))


def withdrawal_section(withdrawn: Sequence[Withdrawn], make: Maker) -> Section:
    """Tell what was withdrawn within the period, and how long that took."""
    spans = {
        own: [one.seconds for one in withdrawn if one.own is own and one.seconds is not None] for own in (True, False)
    }
    figures = (
        make.figure("withdrawn", "Items withdrawn", len(withdrawn)),
        *make.spans("withdrawn-own", "This member's own withdrawals", spans[True]),
        *make.spans("withdrawn-others", "Withdrawals of other members", spans[False]),
    )
    tables = (
        make.table("withdrawn-by-reason", "By reason", "reason", FLOW, _counted(one.reason for one in withdrawn)),
    )
    return Section("withdrawals", "Withdrawals", _WITHDRAWN_ABOUT, figures, tables)


def _stock(reading: Reading, by: str) -> dict[str, tuple[int, ...]]:
    hashes, items = reading.hashes.get(by, Counter()), reading.items.get(by, Counter())
    return {name: (hashes[name], items[name]) for name in {*hashes, *items}}


def _flow(reading: Reading, by: str, withdrawn: Counter[str]) -> dict[str, tuple[int, ...]]:
    """Give rows with what stands, was listed and withdrawn, and with what follows: how many had been there before."""
    stock, listed = _stock(reading, by), reading.listed_by.get(by, Counter())
    rows: dict[str, tuple[int, ...]] = {}
    for name in {*stock, *listed, *withdrawn}:
        hashes, items = stock.get(name, (0, 0))
        rows[name] = (hashes, items, listed[name], withdrawn[name], abs(items - listed[name] + withdrawn[name]))
    return rows


def _counted(names: Iterable[str]) -> dict[str, tuple[int, ...]]:
    return {name: (count,) for name, count in Counter(names).items()}
