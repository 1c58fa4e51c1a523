"""Whether this member signs, in words: what its processes wait for, and what is read back from peers."""

from __future__ import annotations

from datetime import datetime

from hashpact_node.services.awakening import VOUCHES_SECONDS
from hashpact_node.store.awakening import known_heads, list_processes, newest_known_card
from hashpact_node.store.connection import Connection
from hashpact_node.store.logs import get_log
from hashpact_node.store.peers import find_own

NO_PROCESS = "no process serves: commands ask the peers themselves"


def signing_state(connection: Connection, now: datetime) -> str:
    """Say whether the processes that serve may sign, or what they wait for, and which logs are read back how far."""
    at = now.timestamp()
    live = [one for one in list_processes(connection) if abs(at - one.heartbeat_at) <= VOUCHES_SECONDS]
    states = sorted({one.state for one in live if one.awake} or {one.state for one in live}) or [NO_PROCESS]
    own, known = find_own(connection), newest_known_card(connection)
    if own is not None and known is not None and known[0] > (own.card_version or 0):
        states.append(f"nothing is signed: version {known[0]} of our own card is read back from {known[1]}")
    newest = {head.log: head for head in known_heads(connection)}
    for number, head in sorted(newest.items()):
        log = get_log(connection, number)
        states.append(f"{log.origin} signs nothing: {log.placed_size} of {head.size} own entries are read back")
    return "; ".join(states)
