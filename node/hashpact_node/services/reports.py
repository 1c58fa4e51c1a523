"""Openness reports: what a node did within a period, in numbers that reveal neither a hash nor a person."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from hashpact_node.services.report_entries import read_entries
from hashpact_node.services.report_form import Figure, Maker, Report
from hashpact_node.services.report_judged import decision_section, dispute_section, incident_section
from hashpact_node.services.report_listed import flow_section, stock_section, withdrawal_section
from hashpact_node.services.report_matched import match_section, outcome_section, outcomes_between
from hashpact_node.services.report_regulation import regulation_section
from hashpact_node.services.report_withdrawn import withdrawn_listings
from hashpact_node.services.views import own_card
from hashpact_node.store.database import Database
from hashpact_protocol.errors import RequestError
from hashpact_protocol.statement_fields import format_time

DAYS_MAX: Final = 3_660


@dataclass(frozen=True, slots=True)
class Reporter:
    """Makes reports; counts below ``threshold`` are withheld, and what would tell them, too."""

    database: Database
    threshold: int
    now: Callable[[], datetime]

    def report(self, first: date, last: date) -> Report:
        """Report from one day to another, both included, in UTC.

        Everything is read in one snapshot. Raises RequestError for a period that ends before it begins, ends in the
        future or is longer than ten years; ConfigurationError before ``init``, StoreError for a log that is damaged.
        """
        now = self.now()
        _check(first, last, now.date())
        make = Maker(self.threshold)
        with self.database.read() as connection:
            card = own_card(connection)
            reading = read_entries(connection, first, last)
            withdrawn = withdrawn_listings(connection, reading.withdrawn)
            outcomes = outcomes_between(connection, first, last)
            matches = match_section(connection, first, last, make)
            sections = (
                stock_section(connection, reading, withdrawn, make),
                flow_section(reading, withdrawn, make),
                matches,
                outcome_section(outcomes, make),
                withdrawal_section(withdrawn, make),
                dispute_section(connection, first, last, make),
                decision_section(connection, first, last, make),
                incident_section(connection, first, last, make),
                regulation_section(outcomes, _figure(matches.figures, "matches"), make),
            )
        return Report(card.member, card.name, str(first), str(last), format_time(now), self.threshold, sections)


def read_day(text: str, where: str) -> date:
    """Read a day, ``2026-01-31``; RequestError that says where it is wrong."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise RequestError(f"{text[:60]!r} is no day", where=where, mend="write it as 2026-01-31") from None
    if str(day) != text:
        raise RequestError(f"{text[:60]!r} is no day", where=where, mend="write it as 2026-01-31")
    return day


def _check(first: date, last: date, today: date) -> None:
    if last < first:
        raise RequestError("the period ends before it begins", where="to", mend="name the earlier day first")
    if last > today:
        raise RequestError("the period ends in the future", where="to", mend=f"report up to {today} at most")
    if (last - first).days >= DAYS_MAX:
        raise RequestError(f"the period is longer than {DAYS_MAX:,} days", where="from", mend="report year by year")


def _figure(figures: tuple[Figure, ...], identifier: str) -> Figure | None:
    return next((one for one in figures if one.id == identifier), None)
