"""What every look of the doctor goes by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Final

from hashpact_node.net.addresses import AddressRules, PeerUrl, is_loopback_url, parse_url
from hashpact_node.net.fetcher import Fetcher
from hashpact_node.services.doctor_kinds import Diagnosis
from hashpact_node.settings import Settings
from hashpact_node.store.database import Database

LOOK_SECONDS: Final = 10.0
"""How long one look over the network may take."""

ANYWHERE: Final = AddressRules((ip_network("0.0.0.0/0"), ip_network("::/0")))
"""Our own URL may lead wherever it likes: it is our configuration that says so, not a peer."""


@dataclass(frozen=True, slots=True)
class Visit:
    """The home that is looked at, and its database if that can be used; ``trouble`` says why it cannot.

    ``secrets`` are files that hold a secret besides those that the settings name; ``running``: a node runs here.
    """

    settings: Settings
    now: Callable[[], datetime]
    database: Database | None
    trouble: Diagnosis | None
    secrets: tuple[Path, ...] = ()
    running: bool = False

    @property
    def usable(self) -> Database:
        """The database, for looks that are not taken without one."""
        if self.database is None:
            raise RuntimeError("a look asks for the database and does not say so in SUBJECTS")
        return self.database

    @property
    def url(self) -> str:
        """The member's own URL."""
        return self.settings.url or ""

    @property
    def place(self) -> PeerUrl:
        """The member's own URL, taken apart."""
        return parse_url(f"{self.url}/")

    @property
    def is_trial(self) -> bool:
        """Whether the member's URL leads to this machine alone."""
        return is_loopback_url(self.url)

    @property
    def rules(self) -> AddressRules:
        """Which addresses this node connects to."""
        return AddressRules.of(self.url, self.settings.allow_networks)

    def stranger(self) -> Fetcher:
        """Give somebody who asks our own URL as anybody may, signing nothing; to be closed."""
        return Fetcher(ANYWHERE)
