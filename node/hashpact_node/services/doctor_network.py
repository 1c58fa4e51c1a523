"""The doctor's look at the network: the member's URL as others see it, its peers, and their clocks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from http import HTTPStatus
from statistics import median
from typing import Any, Final

from hashpact_keys.findings import Severity
from hashpact_keys.health import ClockOffset, clock_findings
from hashpact_node.net.addresses import AddressRules
from hashpact_node.net.fetcher import Fetcher
from hashpact_node.services.clock_offset import clock_offset
from hashpact_node.services.doctor_kinds import Diagnosis, Level, diagnosis, well
from hashpact_node.services.doctor_visit import LOOK_SECONDS, Visit
from hashpact_node.services.views import own_number
from hashpact_node.store.logs import list_logs
from hashpact_node.store.peers import ACTIVE, Peer, list_peers
from hashpact_node.store.trust import METADATA, read_file
from hashpact_protocol.errors import FetchError, FetchRefusedError
from hashpact_protocol.limits import LIMITS

TIMESTAMP: Final = "timestamp.json"
PEERS_AT_ONCE: Final = 16
_PRIVATE_PATHS: Final = ("/v1/status", "/metrics")
_REFUSED: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND})
_SECOND: Final = timedelta(seconds=1)


def check_url(visit: Visit) -> Iterator[Diagnosis]:
    """Say whether the member's URL serves the trust repository of this database, and where it leads."""
    where = f"{visit.url}/trust/{METADATA}/{TIMESTAMP}"
    if not visit.is_trial:
        yield from _judge_address(visit)
    before = _own_timestamp(visit)
    try:
        with visit.stranger() as fetcher:
            answer = fetcher.get(where, max_bytes=LIMITS.trust_metadata_max_bytes, deadline_seconds=LOOK_SECONDS)
    except FetchError as error:
        yield diagnosis("url-unreachable", error.what, where=where)
        return
    if answer.status != HTTPStatus.OK:
        yield diagnosis("url-unreachable", f"the member's URL answers with status {answer.status}", where=where)
    elif answer.body in {before, _own_timestamp(visit)}:  # a node may sign it anew between the two looks
        yield well("serves the trust repository of this database", where)
    else:
        yield judge_timestamp(answer.body, before, where)


def judge_timestamp(served: bytes, held: bytes, where: str) -> Diagnosis:
    """Judge timestamp metadata that are not those of the database."""
    other, own = _read(served), _read(held)
    if other is None or own is None or not other[0] & own[0]:
        return diagnosis("url-serves-another", where=where)
    return diagnosis("url-serves-older" if other[1] < own[1] else "url-serves-newer", where=where)


def check_outsiders(visit: Visit) -> Iterator[Diagnosis]:
    """Say what somebody is answered at the member's URL who signs nothing and carries no token."""
    with visit.usable.read() as connection:
        logs = list_logs(connection, peer=own_number(connection))
    paths = [(log.url, f"{log.url}/checkpoint") for log in logs if log.state == "open"][:1]
    with visit.stranger() as fetcher:
        for _, url in paths:
            yield judge_log(status_of(fetcher, url), url)
        for path in _PRIVATE_PATHS:
            url = f"{visit.url}{path}"
            yield judge_private(status_of(fetcher, url), url)


def judge_log(status: int | None, url: str) -> Diagnosis:
    """Judge what an unsigned request for a log is answered; None: nobody answered."""
    if status == HTTPStatus.UNAUTHORIZED:
        return well("strangers are refused", url)
    if status in _REFUSED:
        return diagnosis(
            "members-refused", f"the public URL refuses `/logs` with {status}, where a node says 401", where=url
        )
    return _judge_answer(status, url)


def judge_private(status: int | None, url: str) -> Diagnosis:
    """Judge what a request without a token is answered at what is nobody else's business; None: nobody answered."""
    return well("strangers are refused", url) if status in _REFUSED else _judge_answer(status, url)


def _judge_answer(status: int | None, url: str) -> Diagnosis:
    if status is None or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return diagnosis("outsiders-unknown", where=url)
    what = f"somebody who signs nothing and carries no token is answered ({status})"
    return diagnosis("outsiders-read", what, where=url)


def check_peers(visit: Visit) -> Iterator[Diagnosis]:
    """Say which peers answer from here, and whose last pull failed."""
    peers = _active(visit)
    if not peers:
        yield diagnosis("no-peers")
    with Fetcher(visit.rules) as fetcher:
        answers = list(_asked(fetcher, peers))
    for peer, trouble in answers:
        if trouble is not None:
            yield diagnosis("peer-unreachable", f"{peer.member} does not answer from here: {trouble}", where=peer.url)
        elif peer.failures:
            what = f"the last {peer.failures} pulls of {peer.member} failed"
            yield diagnosis("peer-failing", what, where=peer.url)
        else:
            yield well(f"{peer.member} answers", peer.url)


def check_clock(visit: Visit) -> Iterator[Diagnosis]:
    """Say how far our clock is from our peers', asked now; else by what they said in the last hours."""
    peers = _active(visit)
    with Fetcher(visit.rules) as fetcher:
        list(_asked(fetcher, peers))
        readings = [fetcher.clocks.of(peer.url) for peer in peers]
    heard = [one.offset / _SECOND for one in readings if one is not None]
    if heard:
        offset: ClockOffset | None = ClockOffset(median(heard), f"by the dates of {len(heard)} peers' answers")
    else:
        with visit.usable.read() as connection:
            offset = clock_offset(connection, visit.now())
    if offset is None:
        yield diagnosis("clock-unknown")
        return
    found = clock_findings(offset)
    for one in found:
        level = Level.ERROR if one.severity is Severity.ERROR else Level.WARNING
        yield Diagnosis(level, one.code, one.what, one.where, one.mend)
    if not found:
        yield well(f"within {abs(offset.seconds):.0f} s of our peers', {offset.measured}")


def _judge_address(visit: Visit) -> Iterator[Diagnosis]:
    place = visit.place
    try:
        AddressRules().addresses(place.host, place.port, timeout_seconds=LOOK_SECONDS)
    except FetchRefusedError as error:
        yield diagnosis(
            "url-not-public", f"the member's URL leads to {error.where}, which is not public", where=visit.url
        )
    except FetchError:
        return  # that the name cannot be resolved is told by who asks there


def _own_timestamp(visit: Visit) -> bytes:
    with visit.usable.read() as connection:
        return read_file(connection, own_number(connection), METADATA, TIMESTAMP) or b""


def _read(metadata: bytes) -> tuple[frozenset[str], int] | None:
    """Give who signed TUF metadata, by key ids, and their version; None for anything else. Nothing is verified."""
    try:
        found: Any = json.loads(metadata)
        return frozenset(str(one["keyid"]) for one in found["signatures"]), int(found["signed"]["version"])
    except (ValueError, LookupError, TypeError, RecursionError):
        return None


def status_of(fetcher: Fetcher, url: str) -> int | None:
    """Give the status with which a URL is answered; a redirect, to a page where somebody may log in, refuses."""
    try:
        return fetcher.get(url, max_bytes=LIMITS.note_max_bytes, deadline_seconds=LOOK_SECONDS).status
    except FetchRefusedError:
        return HTTPStatus.FORBIDDEN.value
    except FetchError:
        return None


def _active(visit: Visit) -> list[Peer]:
    with visit.usable.read() as connection:
        return list_peers(connection, states=(ACTIVE,))


def _asked(fetcher: Fetcher, peers: Iterable[Peer]) -> Iterator[tuple[Peer, str | None]]:
    """Ask peers for what is public, many at once; what went wrong with each, or None."""

    def ask(peer: Peer) -> tuple[Peer, str | None]:
        url = f"{peer.url}/trust/{METADATA}/{TIMESTAMP}"
        try:
            answer = fetcher.get(url, max_bytes=LIMITS.trust_metadata_max_bytes, deadline_seconds=LOOK_SECONDS)
        except FetchError as error:
            return peer, error.what
        return peer, None if answer.status == HTTPStatus.OK else f"it answers with status {answer.status}"

    with ThreadPoolExecutor(PEERS_AT_ONCE) as threads:
        yield from threads.map(ask, peers)
