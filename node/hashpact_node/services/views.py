"""What several services need to see of the database at once."""

from __future__ import annotations

from hashpact_node.services.log_trust import card_of
from hashpact_node.store.connection import Connection
from hashpact_node.store.logs import Log, list_logs
from hashpact_node.store.peers import Peer, find_own
from hashpact_node.store.signals import Viewpoint
from hashpact_protocol.card import Card
from hashpact_protocol.errors import ConfigurationError


def own_peer(connection: Connection) -> Peer:
    """Give this member; ConfigurationError before ``init``."""
    own = find_own(connection)
    if own is None:
        raise _nobody()
    return own


def own_number(connection: Connection) -> int:
    """Give the local number of this member; ConfigurationError before ``init``."""
    return own_peer(connection).number


def viewpoint(connection: Connection) -> Viewpoint:
    """Give the eyes with which this member judges claims."""
    return Viewpoint({log.number: log.peer for log in list_logs(connection)}, own_number(connection))


def logs_by_number(connection: Connection) -> dict[int, Log]:
    """Give all logs by their local number."""
    return {log.number: log for log in list_logs(connection)}


def own_card(connection: Connection) -> Card:
    """Give this member's own card; ConfigurationError before ``init``."""
    own = own_peer(connection)
    if own.card is None:
        raise _nobody()
    return card_of(own)


def _nobody() -> ConfigurationError:
    return ConfigurationError("this database belongs to no member yet", mend="run `hashpact init` first")
