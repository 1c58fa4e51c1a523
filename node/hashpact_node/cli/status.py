"""``hashpact status``: the node at a glance; ``hashpact rebuild``: derive its list again from its logs."""

# ruff: noqa: PLC0415  heavy parts are imported where they are needed, so that help and mistakes are quick
from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hashpact_node.cli.common import DEFAULT_HOME, AsJson, Home, is_running, opened
from hashpact_node.cli.output import plain, progress, say, say_json

if TYPE_CHECKING:
    from hashpact_node.services.status import NodeStatus


def status(home: Home = DEFAULT_HOME, as_json: AsJson = False) -> None:
    """Show the node at a glance."""
    from hashpact_node import clock
    from hashpact_node.services.status import StatusReader

    with opened(home) as node:
        found = StatusReader(node.database, node.settings, clock.now).status()
    running = is_running(home)
    if as_json:
        say_json({**plain(found), "home": home, "running": running})
    else:
        _show(found, home, node.settings.shown_database_url, running=running)


def rebuild(home: Home = DEFAULT_HOME, as_json: AsJson = False) -> None:
    """Derive the blocklist again from the stored logs.

    What differs is mended and appended to the change feed, which never starts anew; a node may run meanwhile. Stopped
    half way, it mends the rest when it is run again.
    """
    from hashpact_node import clock
    from hashpact_node.cli.tables import count
    from hashpact_node.services.rebuild import Rebuilder

    with opened(home) as node, progress("rebuilding", unit="entries") as told:
        rebuilt = Rebuilder(node.database, node.locks, clock.now).rebuild(told)
    if as_json:
        say_json(rebuilt)
        return
    signals, owners = rebuilt.signals_mended, rebuilt.owners_mended
    say(f"{count(rebuilt.logs, 'log')} read again; mended: {count(signals, 'signal')}, {count(owners, 'listing')}")


def _show(status: NodeStatus, home: Path, database: str, *, running: bool) -> None:
    from hashpact_node.cli.tables import count, figure, show_fields, show_table

    own = [log for log in status.logs if log.own]
    fields = (
        ("url", status.url),
        ("home", home),
        ("database", database),
        ("running", "yes" if running else "no: `hashpact serve` starts it"),
        ("signing", status.signing),
        ("blocklist", ", ".join(f"{figure(number)} {action}" for action, number in status.blocklist.items())),
        ("peers", _peers(status)),
        ("disputes", f"{count(status.disputes, 'dispute')}: `hashpact disputes list`" if status.disputes else "none"),
        ("corrections", _corrections(status)),
        ("alarms", f"{count(len(status.alarms), 'alarm')}: `hashpact alarms list`" if status.alarms else "none"),
        ("keys", _keys(status)),
        ("audit log", status.audit_head),
    )
    show_fields(fields, title=status.member)
    rows = [
        (log.origin, "stale" if log.stale else log.state, figure(log.size), figure(log.live), figure(log.waiting))
        for log in own
    ]
    show_table(("log", "state", "size", "listings", "waiting"), rows, right=("size", "listings", "waiting"))
    jobs = [(job.name, job.last_result, job.last_run_at, job.next_run_at, job.last_error) for job in status.jobs]
    if jobs:
        show_table(("job", "last", "last run", "next run", "error"), jobs)


def _peers(status: NodeStatus) -> str:
    states: dict[str, int] = {}
    for peer in status.peers:
        state = "failing" if peer.state == "active" and peer.failures else peer.state
        states[state] = states.get(state, 0) + 1
    return ", ".join(f"{number} {state}" for state, number in sorted(states.items())) or "none"


def _corrections(status: NodeStatus) -> str:
    """Say how fast withdrawals arrived within 7 days, by member."""
    said = (f"{one.member}: {one.withdrawals:,}, {one.average_seconds:,} s on average" for one in status.corrections)
    return "; ".join(said) or "none within 7 days"


def _keys(status: NodeStatus) -> str:
    from hashpact_node.cli.tables import count

    weights = [one.severity for one in status.key_findings]
    counts = [count(number, word) for word in ("error", "warning") if (number := weights.count(word))]
    return f"{', '.join(counts)}: `hashpact keys check`" if counts else "well"
