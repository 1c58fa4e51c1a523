"""Which members may read which log here: the one place that decides it (docs/protocol.md, Requests).

A log whose name equals its kind is read by every member that is followed. One with a suffix belongs to an audience: its
readers alone may have it from us, and of another member's audience we know no readers, so that nobody but its publisher
gets anything of it back from here.
"""

from __future__ import annotations

from hashpact_node.store.audiences import audience_of_log
from hashpact_node.store.connection import Connection
from hashpact_node.store.logs import Log
from hashpact_node.store.peers import FOLLOWED, find_peer


def is_of_audience(log: Log) -> bool:
    """Say whether a log belongs to an audience: its name is its kind with a suffix (docs/protocol.md, Card)."""
    return log.name != log.kind


def readers_of(connection: Connection, log: Log) -> frozenset[str] | None:
    """Give the members that may read an own log; None where every member may. An unknown audience has no readers."""
    if not is_of_audience(log):
        return None
    audience = audience_of_log(connection, log.name)
    return frozenset() if audience is None else frozenset(audience.readers)


def may_read(connection: Connection, member: str, log: Log) -> bool:
    """Say whether a member, by its id, may read an own log below ``/logs``."""
    readers = readers_of(connection, log)
    return _is_followed(connection, member) and (readers is None or member in readers)


def may_read_elsewhere(connection: Connection, member: str, log: Log) -> bool:
    """Say whether a member may have what this node witnesses or mirrors of any log, own ones included.

    Of an audience that is not ours only the publisher may: it reads its own entries back.
    """
    if _is_own(connection, log):
        return may_read(connection, member, log)
    return _is_followed(connection, member) and (not is_of_audience(log) or member == log.member)


def is_open_to(connection: Connection, asker: str | None, log: Log) -> bool:
    """Say whether what is here of a log may go to ``asker``, a member's id.

    It is None where a node does not ask who asks, and listens on loopback alone: then only the logs of our own
    audiences are kept. Whoever got so far may have the logs that every member reads: who may ask at all, is decided
    before.
    """
    if not is_of_audience(log):
        return True
    if asker is not None:
        return may_read_elsewhere(connection, asker, log)
    return not _is_own(connection, log)


def _is_own(connection: Connection, log: Log) -> bool:
    peer = find_peer(connection, log.member)
    return peer is not None and peer.own


def _is_followed(connection: Connection, member: str) -> bool:
    peer = find_peer(connection, member)
    return peer is not None and not peer.own and peer.state in FOLLOWED
