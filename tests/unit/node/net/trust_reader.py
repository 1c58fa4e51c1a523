"""A node's view of one peer's trust repository, refreshed over real HTTP."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hashpact_keys.trust_files import METADATA, FileId, TrustFiles
from hashpact_node.net.fetcher import Fetcher
from hashpact_node.net.trust import Peer, TrustUpdate, refresh_trust
from hashpact_protocol.errors import (
    HashpactError,
)
from unit.keys.trust_simulator import NOW, Member
from unit.node.net.trust_server import TrustServer

HOUR = timedelta(hours=1)


class Reader:
    """A node that follows one peer: what it holds between refreshes is its database."""

    def __init__(self, source: Fetcher, server: TrustServer, member: Member) -> None:
        self.source = source
        self.server = server
        self.member = member
        self.peer = Peer("acme", server.url, member.root_bytes)
        self.stored: TrustFiles = {}

    def refresh(self, *, after: timedelta = timedelta(0), deadline_seconds: float = 600.0) -> TrustUpdate:
        """Refresh over HTTP at ``NOW + after``, and store what the node would store."""
        now = NOW + after
        update = refresh_trust(self.source, self.peer, self.stored, now, deadline_seconds=deadline_seconds)
        roots = {file: data for file, data in self.stored.items() if file[1].endswith(".root.json")}
        self.stored = roots | {(METADATA, name): data for name, data in update.new_roots} | update.files
        return update

    def publish(self) -> None:
        self.server.files = dict(self.member.files)

    def accepted(self, **options: Any) -> TrustUpdate:
        """Publish, refresh, and expect that everything is verified."""
        self.publish()
        update = self.refresh(**options)
        assert update.problems == ()
        assert update.card is not None
        return update

    def refused(self, kind: type[HashpactError], words: str, **options: Any) -> TrustUpdate:
        """Refresh, and expect a problem and the card that was held before."""
        held = card_files(self.stored)
        update = self.refresh(**options)
        assert update.card is None
        assert update.card_version == 0
        assert isinstance(update.problems[0], kind), update.problems
        assert words in str(update.problems[0])
        assert update.problems[0].mend
        assert card_files(self.stored) == held
        return update


def card_files(files: TrustFiles) -> dict[FileId, bytes]:
    """What says which card is accepted."""
    return {file: data for file, data in files.items() if file[1].endswith(("targets.json", "member.json"))}
