"""What the cases of a live publisher share; each thing is read once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hashpact_conformance.cases import not_supported
from hashpact_conformance.dump import Dump
from hashpact_conformance.plugin import RunOptions
from hashpact_conformance.publisher.reading import LogReading, read_log
from hashpact_conformance.publisher.shown import Shown, show
from hashpact_conformance.publisher.site import Site
from hashpact_conformance.publisher.trust_chain import Chain, read_chain
from hashpact_conformance.signing import Credentials, read_credentials
from hashpact_protocol.card import Card, parse_card
from hashpact_protocol.card_fields import read_object
from hashpact_protocol.card_logs import CardLog, LogState
from hashpact_protocol.errors import HashpactError
from hashpact_protocol.follow import Head
from hashpact_protocol.merkle import EMPTY_ROOT


@pytest.fixture(scope="session", name="everything")
def read_once(options: RunOptions) -> Iterator[Site]:
    """The node, for what is read once and shared."""
    name, key = options.targets.get("asks_as"), options.targets.get("key")
    credentials = read_credentials(name, key) if name and key else None
    one = Site(options.targets["url"].rstrip("/"), Dump.of_case(options.dump, "shared"), credentials)
    yield one
    one.client.close()


@pytest.fixture
def site(everything: Site, dump: Dump) -> Iterator[Site]:
    """The node, for one case."""
    one = Site(everything.url, dump, everything.credentials)
    yield one
    one.client.close()


@pytest.fixture(scope="session")
def chain(everything: Site, options: RunOptions) -> Chain:
    return read_chain(everything, options.targets["root"].read_bytes())


@pytest.fixture(scope="session")
def card(chain: Chain, options: RunOptions, everything: Site) -> Card:
    try:
        member = options.targets.get("member") or read_object(chain.card).text("member")
        return parse_card(chain.card, member=member, url=everything.url)
    except HashpactError as error:
        raise AssertionError(f"the card is to be refused: {error}") from error


@pytest.fixture(scope="session")
def open_logs(card: Card) -> list[CardLog]:
    return [log for log in _for_all(card) if log.state is LogState.OPEN] or not_supported("the card names no open log")


@pytest.fixture(scope="session")
def closed_logs(card: Card) -> list[CardLog]:
    return [log for log in _for_all(card) if log.state is LogState.CLOSED] or not_supported(
        "the card names no closed log"
    )


@pytest.fixture(scope="session")
def shown(everything: Site, open_logs: list[CardLog]) -> list[Shown]:
    return [show(everything, log) for log in open_logs]


@pytest.fixture(scope="session")
def readings(everything: Site, shown: list[Shown]) -> list[LogReading]:
    """All open logs, read whole up to the checkpoint that they showed first."""
    return [read_log(everything, one.log, one.head) for one in shown]


@pytest.fixture(scope="session")
def closed_readings(everything: Site, closed_logs: list[CardLog]) -> list[LogReading]:
    """All closed logs that are not erased, read up to their end."""
    kept = [log for log in closed_logs if not log.erased]
    return [
        read_log(everything, log, Head(log.final.size, log.final.root) if log.final else Head(0, EMPTY_ROOT))
        for log in kept
    ]


@pytest.fixture(scope="session")
def filled(readings: list[LogReading]) -> list[LogReading]:
    """The open logs that hold anything."""
    return [one for one in readings if one.head.size] or not_supported("no open log holds an entry")


@pytest.fixture(scope="session")
def credentials(everything: Site) -> Credentials:
    """Who asks; without somebody whom the node knows, nothing can be said of whom it answers."""
    return everything.credentials or not_supported("no credentials were given: see --as and --key")


def _for_all(card: Card) -> list[CardLog]:
    """Give the logs that every member reads; one with a suffix is for an audience, and hardly for us."""
    return [log for log in card.logs if log.name == log.kind.value]
