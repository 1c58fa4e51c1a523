"""Peers' clocks, as the Date of their answers tells them (RFC 9110, section 6.6.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

DATE_IS_CUT: Final = timedelta(milliseconds=500)
"""A Date has whole seconds, so that on average half a second is missing."""

WAIT_MAX: Final = timedelta(seconds=10)
"""An answer that took longer tells nothing: nobody knows when within that time the Date was written."""

HOSTS_MAX: Final = 1_024
DATE_MAX_LENGTH: Final = 64


@dataclass(frozen=True, slots=True)
class Heard:
    """By how much our clock was ahead of a host's, and when that was heard."""

    offset: timedelta
    at: datetime


class PeerClocks:
    """Remembers what the last answer of each host said; shared by threads."""

    def __init__(self) -> None:
        self._heard: dict[str, Heard] = {}

    def hear(self, host: str, headers: Mapping[str, str], sent: datetime, got: datetime) -> None:
        """Take the Date of an answer that was asked for at ``sent`` and came at ``got``, by our clock.

        An answer with an Age comes from a cache, and its Date is an old one; one that makes no sense tells nothing.
        """
        if "age" in headers or got - sent > WAIT_MAX or (host not in self._heard and len(self._heard) >= HOSTS_MAX):
            return
        date = parse_date(headers.get("date"))
        if date is not None:
            self._heard[host] = Heard(sent + (got - sent) / 2 - (date + DATE_IS_CUT), got)

    def of(self, url: str) -> Heard | None:
        """Give what the last answer of the host of a URL said; None if there was none that said anything."""
        return self._heard.get(urlsplit(url).netloc.lower())


def parse_date(text: str | None) -> datetime | None:
    """Give the time in a Date header, aware and in UTC; None where it is none."""
    try:
        date = parsedate_to_datetime((text or "")[:DATE_MAX_LENGTH])
    except (ValueError, OverflowError):  # the latter for an absurd time zone: it is a peer who writes this
        return None
    return date if date.tzinfo is not None else date.replace(tzinfo=UTC)
