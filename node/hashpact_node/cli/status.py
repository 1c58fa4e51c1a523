"""``hashpact status``: the node at a glance; ``hashpact rebuild``: derive its list again from its logs."""

# ruff: noqa: PLC0415  heavy parts are imported where they are needed, so that help and mistakes are quick
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hashpact_node.cli.common import DEFAULT_HOME, AsJson, Home, is_running, opened
from hashpact_node.cli.output import progress, say, say_json

if TYPE_CHECKING:
    from hashpact_node.assembly import Node


def status(home: Home = DEFAULT_HOME, as_json: AsJson = False) -> None:
    """Show the node at a glance."""
    with opened(home) as node:
        found = _look(node)
    if as_json:
        say_json(found)
    else:
        _show(found)


def rebuild(home: Home = DEFAULT_HOME, as_json: AsJson = False) -> None:
    """Derive the blocklist again from the stored logs.

    What differs is mended and appended to the change feed, which never starts anew; a node may run meanwhile. Stopped
    half way, it mends the rest when it is run again.
    """
    from hashpact_node import clock
    from hashpact_node.services.rebuild import Rebuilder

    with opened(home) as node, progress("rebuilding", unit="entries") as told:
        rebuilt = Rebuilder(node.database, node.locks, clock.now).rebuild(told)
    if as_json:
        say_json(rebuilt)
        return
    say(f"{rebuilt.logs:,} logs with {rebuilt.entries:,} entries were read again")
    say(f"mended: {rebuilt.signals_mended:,} signals, {rebuilt.owners_mended:,} owners of listings")


def _look(node: Node) -> dict[str, Any]:
    from hashpact_node.cli.shapes import alarm_shape, job_shape, log_shape, peer_shape
    from hashpact_node.store.alarms import list_alarms
    from hashpact_node.store.jobs import list_jobs
    from hashpact_node.store.logs import list_logs
    from hashpact_node.store.owners import count_live
    from hashpact_node.store.peers import find_own
    from hashpact_node.store.queue import count_entries

    peers = node.peering.list()
    with node.database.read() as connection:
        own = find_own(connection)
        live = count_live(connection)
        logs = [
            {**log_shape(log), "listings": live.get(log.number, 0), "waiting": count_entries(connection, log.number)}
            for log in list_logs(connection, peer=own.number if own else None)
            if log.named
        ]
        jobs = [job_shape(job) for job in list_jobs(connection)]
        alarms = [alarm_shape(alarm) for alarm in list_alarms(connection)]
    return {
        "member": node.member,
        "url": node.settings.url,
        "home": node.settings.home,
        "database": node.settings.shown_database_url,
        "running": is_running(node.settings.home),
        "card_version": own.card_version if own else None,
        "logs": logs,
        "peers": [peer_shape(view) for view in peers],
        "blocklist": node.blocklist.counts(),
        "jobs": jobs,
        "alarms": alarms,
    }


def _show(found: dict[str, Any]) -> None:
    from hashpact_node.cli.tables import count, figure, show_fields, show_table

    words = {action: figure(number) for action, number in found["blocklist"].items()}
    fields = (
        ("url", found["url"]),
        ("home", found["home"]),
        ("database", found["database"]),
        ("running", "yes" if found["running"] else "no: `hashpact serve` starts it"),
        ("blocklist", ", ".join(f"{number} {action}" for action, number in words.items())),
        ("peers", _peers(found["peers"])),
        (
            "alarms",
            f"{count(len(found['alarms']), 'alarm')}: see `hashpact alarms list`" if found["alarms"] else "none",
        ),
    )
    show_fields(fields, title=found["member"])
    rows = [
        (log["origin"], log["state"], figure(log["accepted_size"]), figure(log["listings"]), figure(log["waiting"]))
        for log in found["logs"]
    ]
    show_table(("log", "state", "size", "listings", "waiting"), rows, right=("size", "listings", "waiting"))
    jobs = [
        (job["name"], job["last_result"], job["last_run_at"], job["next_run_at"], job["last_error"])
        for job in found["jobs"]
    ]
    if jobs:
        show_table(("job", "last", "last run", "next run", "error"), jobs)


def _peers(peers: list[dict[str, Any]]) -> str:
    states: dict[str, int] = {}
    for peer in peers:
        states[peer["state"]] = states.get(peer["state"], 0) + 1
    return ", ".join(f"{number} {state}" for state, number in sorted(states.items())) or "none"
