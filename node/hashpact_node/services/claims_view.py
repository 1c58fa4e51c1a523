"""What people see of a signal: who lists it, where, with which labels, and which action follows by which rule."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from hashpact_node.services.entries import open_bundle
from hashpact_node.services.packed import SHOWN_MAX, essence, shown, shown_count
from hashpact_node.services.views import logs_by_number, own_number
from hashpact_node.store.bundles import Bundle
from hashpact_node.store.connection import Connection
from hashpact_node.store.feed import read_bundles
from hashpact_node.store.judging import rule_names
from hashpact_node.store.logs import Log
from hashpact_node.store.signals import SignalRow, Viewpoint, rule_of
from hashpact_protocol.claims import CLAIM_BYTES, Claim, Place, unpack_claims
from hashpact_protocol.errors import FetchError, TileError
from hashpact_protocol.limits import LIMITS
from hashpact_protocol.parsing import parse_entries
from hashpact_protocol.policy import Action
from hashpact_protocol.signals import parse_signal_key
from hashpact_protocol.statements import Listing
from hashpact_protocol.tiles import decode_bundle

PAGE_CLAIMS = 50_000
"""How many claims are read for one page at most: some two seconds, and 25 MB as JSON."""

UNREADABLE = "the listing cannot be read back from the stored log; the claim stands as it was merged"


@dataclass(frozen=True, slots=True)
class ClaimView:
    """One publisher's listing of a signal; ``log`` is an origin, times are as on the wire.

    ``preserve``: its publisher asks that the content be kept as evidence, out of sight. Where the stored entry is
    damaged, ``problem`` says so, and what only the entry could tell is None or empty.
    """

    member: str
    log: str
    index: int
    quality: int | None
    expired: bool
    listing: str | None = None
    content: str | None = None
    labels: tuple[str, ...] = ()
    time: str | None = None
    expires: str | None = None
    preserve: bool = False
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class SignalView:
    """One signal as people see it; ``number`` is that of its last change. Members and labels are sorted.

    ``publishers`` are those of all its claims, expired ones included, of which there are ``claims_total``. ``claims``
    are at most 100 of them (``packed.shown``), ``labels`` are the labels of as many, and ``preserve`` says whether one
    of as many asks that the content be preserved.
    """

    number: int
    type: str
    value: str
    action: str
    rule: str
    publishers: tuple[str, ...]
    labels: tuple[str, ...]
    claims_total: int
    claims: tuple[ClaimView, ...] = ()
    preserve: bool = False

    @property
    def key(self) -> str:
        """Type and value in one word, ``pdq:<hex>``."""
        return f"{self.type}:{self.value}"


class ClaimsView:
    """Looks signals' claims up, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        """Read whose logs there are; ConfigurationError before ``init``."""
        self._connection = connection
        self._logs = logs_by_number(connection)
        members = {number: log.peer for number, log in self._logs.items()}
        self.viewpoint = Viewpoint(members, own_number(connection))
        self._rules = rule_names(connection)

    def publishers(self, claims: bytes) -> tuple[str, ...]:
        """Give the members whose claims these are, sorted."""
        brief = essence(claims)
        logs = {int.from_bytes(brief[at : at + 3], "big") for at in range(0, len(brief), CLAIM_BYTES)}
        return tuple(sorted({self._logs[log].member for log in logs}))

    def views(self, rows: Sequence[SignalRow], *, claims: bool = True, most: int = SHOWN_MAX) -> list[SignalView]:
        """Give what people see of some signals, in the order given; without the single ``claims`` where not wanted.

        The entries of at most so many claims of each are read, in order of place, each bundle once.
        """
        unpacked = [unpack_claims(shown(row.claims, self.viewpoint.members, most)) for row in rows]
        places = {Place(claim.log, claim.position) for each in unpacked for claim in each}
        listings = read_listings(self._connection, places, self._logs)
        return [self._view(row, each, listings, claims=claims) for row, each in zip(rows, unpacked, strict=True)]

    def _view(
        self, row: SignalRow, unpacked: list[Claim], listings: dict[Place, Listing], *, claims: bool
    ) -> SignalView:
        kind, value = parse_signal_key(row.key)
        found = [listings.get(Place(claim.log, claim.position)) for claim in unpacked]
        return SignalView(
            row.number,
            kind,
            value,
            Action(row.action).word,
            self._rules[rule_of(row._replace(claims=essence(row.claims)), self.viewpoint)],
            self.publishers(row.claims),
            tuple(sorted({label for listing in found if listing is not None for label in listing.labels})),
            len(row.claims) // CLAIM_BYTES,
            tuple(map(self._claim, unpacked, found)) if claims else (),
            any(listing is not None and listing.preserve for listing in found),
        )

    def _claim(self, claim: Claim, listing: Listing | None) -> ClaimView:
        log = self._logs[claim.log]
        place = (log.member, log.origin, claim.position, claim.quality, claim.expired)
        if listing is None:
            return ClaimView(*place, problem=UNREADABLE)
        return ClaimView(
            *place, listing.id, listing.content, listing.labels, listing.time, listing.expires, listing.preserve
        )


def affordable(rows: Sequence[SignalRow]) -> int:
    """Say how many of the rows, from the first on, one page can show: at least one, if there is one."""
    claims = 0
    for count, row in enumerate(rows):
        claims += shown_count(row.claims)
        if count and claims > PAGE_CLAIMS:
            return count
    return len(rows)


def read_listings(connection: Connection, places: Iterable[Place], logs: dict[int, Log]) -> dict[Place, Listing]:
    """Read the listings at some places, a bundle at a time, whatever their order.

    A place where no listing can be read, because what is stored was damaged, is left out.
    """
    wanted: dict[int, dict[int, list[int]]] = {}
    for place in places:
        number, offset = divmod(place.position, LIMITS.bundle_width)
        wanted.setdefault(place.log, {}).setdefault(number, []).append(offset)
    found: dict[Place, Listing] = {}
    for log, bundles in wanted.items():
        for bundle in read_bundles(connection, log, sorted(bundles)):
            for offset, listing in _listings_of(bundle, bundles[bundle.number], logs[log].kind):
                found[Place(log, bundle.number * LIMITS.bundle_width + offset)] = listing
    return found


def _listings_of(bundle: Bundle, offsets: list[int], kind: str) -> Iterator[tuple[int, Listing]]:
    try:
        entries = decode_bundle(open_bundle(bundle.data), bundle.width)
    except (FetchError, TileError):
        # Actions rest on what was verified and merged, so that a damaged bundle takes reasons away, and no hash.
        return
    stored = [offset for offset in offsets if offset < len(entries)]
    statements = parse_entries([entries[offset] for offset in stored], kind)
    for offset, statement in zip(stored, statements, strict=True):
        if isinstance(statement, Listing):
            yield offset, statement
