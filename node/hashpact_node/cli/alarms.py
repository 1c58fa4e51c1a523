"""``hashpact alarms …``: what a person must see."""

# ruff: noqa: PLC0415  heavy parts are imported where they are needed, so that help and mistakes are quick
from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hashpact_node.cli.common import DEFAULT_HOME, AsJson, Home, opened
from hashpact_node.cli.output import plain, say, say_json
from hashpact_node.cli.program import Commands, examples
from hashpact_protocol.errors import NotFoundError

if TYPE_CHECKING:
    from hashpact_node.services.status import AlarmStatus

app = typer.Typer(cls=Commands, rich_markup_mode=None, help="What a person must see.")


@app.command("list", epilog=examples("hashpact alarms list", "hashpact alarms list --all --json"))
def list_(
    everything: Annotated[bool, typer.Option("--all", help="Those that are over, too.")] = False,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """List what is wrong, the newest first."""
    from hashpact_node.services.status import alarm_status
    from hashpact_node.services.views import logs_by_number
    from hashpact_node.store.alarms import list_alarms

    with opened(home) as node, node.database.read() as connection:
        logs = logs_by_number(connection)
        members = {log.peer: log.member for log in logs.values()}
        origins = {number: log.origin for number, log in logs.items()}
        alarms = [
            (alarm.cleared_at is not None, alarm_status(alarm, members, origins))
            for alarm in list_alarms(connection, cleared=everything)
        ]
    if as_json:
        say_json({"alarms": [{**plain(alarm), "cleared": cleared} for cleared, alarm in alarms]})
    elif not alarms:
        say("no alarms")
    else:
        _show(alarms)


def _show(alarms: list[tuple[bool, AlarmStatus]]) -> None:
    from hashpact_node.cli.tables import NOTHING, count, show_table

    rows = [
        (
            alarm.number,
            f"{alarm.member or NOTHING}\n{'over' if cleared else alarm.code}",
            f"{alarm.last_at}\n{count(alarm.times, 'time')}",
            f"{alarm.what}\n-> {alarm.mend}" if alarm.mend else alarm.what,
        )
        for cleared, alarm in alarms
    ]
    show_table(("no", "about", "last", "what"), rows, right=("no",))


@app.command(epilog=examples("hashpact alarms clear 3"))
def clear(
    numbers: Annotated[list[int], typer.Argument(metavar="NO", help="Numbers from `hashpact alarms list`.")],
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Say that an alarm has been looked at.

    It comes again when its cause does. All of the numbers or none.
    """
    from hashpact_node import clock
    from hashpact_node.store.alarms import clear_alarm_number

    with opened(home) as node, node.database.write() as connection:
        for number in dict.fromkeys(numbers):
            if not clear_alarm_number(connection, number, now=clock.now()):
                raise NotFoundError(f"no alarm with the number {number} is open", mend="see `hashpact alarms list`")
    if as_json:
        say_json({"cleared": sorted(set(numbers))})
    else:
        say(f"cleared: {', '.join(map(str, sorted(set(numbers))))}")
