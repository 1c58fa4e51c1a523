"""Publish once, however often it is asked: the ids of new listings are chosen, and written down, before anything else.

So whoever takes up a request whose process died looks for those ids, and neither loses nor doubles a listing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime

import msgspec

from hashpact_node.services.drafts import ListingDraft, new_id
from hashpact_node.services.own_listings import find_listings, open_log
from hashpact_node.services.placing import names_of
from hashpact_node.services.publishing import Published, Publisher
from hashpact_node.store.database import Database
from hashpact_protocol.errors import HashpactError
from hashpact_protocol.statements import Listing


@dataclass(frozen=True, slots=True)
class PlannedDraft(ListingDraft):
    """A new listing whose id is known before it is published."""

    planned: str = ""

    def listing(self, now: datetime) -> Listing:
        """Make the statement under the id that was planned."""
        return msgspec.structs.replace(ListingDraft.listing(self, now), id=self.planned)


def plan(count: int) -> bytes:
    """Choose the ids of so many new listings."""
    return ",".join(new_id() for _ in range(count)).encode()


@dataclass(frozen=True, slots=True)
class PlannedPublisher:
    """Publishes new listings under planned ids."""

    database: Database
    publisher: Publisher

    def publish(
        self,
        drafts: Sequence[ListingDraft],
        planned: bytes,
        *,
        again: bool,
        log_name: str,
        allow_foreign_origin: bool,
        wait: bool,
    ) -> list[Published]:
        """Publish the drafts unless listings of these ids are stored; ``again`` says that they may well be.

        Raises what ``Publisher.publish`` raises while nothing is stored.
        """
        ids = planned.decode().split(",")
        found = self._stored(ids, drafts, log_name) if again else None
        if found is not None:
            return found
        under_ids = [named(draft, one) for draft, one in zip(drafts, ids, strict=True)]
        try:
            return self.publisher.publish(
                under_ids, log_name=log_name, allow_foreign_origin=allow_foreign_origin, wait=wait
            )
        except HashpactError:
            # It may have failed after all was stored, and then it is published.
            found = self._stored(ids, drafts, log_name)
            if found is None:
                raise
            return found

    def _stored(self, ids: list[str], drafts: Sequence[ListingDraft], log_name: str) -> list[Published] | None:
        """Give how listings stand that were stored, all together or not at all; None where they were not."""
        told: dict[str, Published] = {}
        with self.database.read() as connection:
            firsts = [names_of(connection, draft, log_name)[0] for draft in drafts]
            for name in dict.fromkeys(firsts):
                log = open_log(connection, name)
                mine = [one for one, first in zip(ids, firsts, strict=True) if first == name]
                if not find_listings(connection, log, mine[:1]):
                    return None
                for one, found in find_listings(connection, log, mine).items():
                    size = log.accepted_size if found.merged else None
                    told[one] = Published(one, found.log.origin, found.position, size)
        return [told[one] for one in ids]


def named(draft: ListingDraft, identifier: str) -> PlannedDraft:
    """Give a draft under the id that was planned for it."""
    values = {field.name: getattr(draft, field.name) for field in fields(ListingDraft)}
    return PlannedDraft(**values, planned=identifier)
