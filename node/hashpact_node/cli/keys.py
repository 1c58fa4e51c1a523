"""``hashpact keys …``: what signs in this member's name."""

# ruff: noqa: PLC0415  heavy parts are imported where they are needed, so that help and mistakes are quick
from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import typer

from hashpact_node.cli.common import DEFAULT_HOME, AsJson, Home, opened
from hashpact_node.cli.output import plain, say, say_json, warn
from hashpact_node.cli.program import Commands, examples

if TYPE_CHECKING:
    from hashpact_node.services.key_status import KeyStatus

app = typer.Typer(cls=Commands, rich_markup_mode=None, help="What signs in this member's name.")


@app.callback()
def keys() -> None:
    """What signs in this member's name."""


@app.command(epilog=examples("hashpact keys status", "hashpact keys status --json"))
def status(home: Home = DEFAULT_HOME, as_json: AsJson = False) -> None:
    """Show the keys, where they live, when they expire, and the fingerprint that peers pin.

    No passphrase is needed. What somebody should do something about is said on standard error.
    """
    from hashpact_node import clock
    from hashpact_node.services.key_status import key_status

    now = clock.now()
    with opened(home) as node:
        found = key_status(node.database, node.settings.keys, home=node.settings.home, now=now)
    if as_json:
        say_json(
            {
                **{name: getattr(found, name) for name in ("member", "url", "fingerprint", "card_version")},
                "roles": plain(found.roles),
                "keys": [
                    {
                        "row": key.row,
                        "uri": key.uri,
                        "public": key.public,
                        "age_seconds": None if key.age is None else key.age // timedelta(seconds=1),
                        "expires": key.expires,
                        "warnings": key.warnings,
                    }
                    for key in found.keys
                ],
            }
        )
    else:
        _show(found, now)
    for warning in found.warnings:
        warn(warning)


def _show(found: KeyStatus, now: datetime) -> None:
    from hashpact_node.cli.tables import ago, count, show_fields, show_table

    show_fields((("url", found.url), ("card version", found.card_version), ("fingerprint", found.fingerprint)))
    rows = [
        (
            key.row.value,
            key.uri,
            None if key.age is None else count(key.age.days, "day"),
            "with its log" if key.expires is None else ago(int(key.expires.timestamp()), now),
        )
        for key in found.keys
    ]
    show_table(("key", "where", "age", "expires"), rows)
    say("Peers pin this node by its fingerprint; give it to them by another channel than the network.")
