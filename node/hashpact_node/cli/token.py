"""``hashpact token …``: who may use this node's API."""

# ruff: noqa: PLC0415  heavy parts are imported where they are needed, so that help and mistakes are quick
from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Final

import typer

from hashpact_node.cli.common import DEFAULT_HOME, AsJson, Home, opened
from hashpact_node.cli.output import note, say, say_json
from hashpact_node.cli.program import Commands, examples
from hashpact_protocol.errors import RequestError

if TYPE_CHECKING:
    from typing import Any

    from hashpact_node.services.tokens import TokenView

app = typer.Typer(cls=Commands, rich_markup_mode=None, help="Who may use this node's API.")

_UNITS: Final = {"d": "days", "h": "hours", "min": "minutes"}
_LIFE: Final = re.compile(r"([1-9][0-9]{0,6})(d|h|min)")


@app.command(
    epilog=examples(
        "hashpact token create pipeline --scope match --scope read",
        "hashpact token create small-platform --scope match --per-minute 60 --expires 90d",
        "hashpact token create prometheus --scope audit --json",
    )
)
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is for, for people.")],
    *,
    scope: Annotated[
        list[str],
        typer.Option(
            metavar="SCOPE",
            help="What it may do: match, read, publish, review, operate, audit or admin; may be repeated.",
        ),
    ],
    expires: Annotated[
        str | None, typer.Option(metavar="TIME", help="How long it lives, such as 90d, 12h or 30min; else for ever.")
    ] = None,
    per_minute: Annotated[
        int | None,
        typer.Option(metavar="NUMBER", help="How often it may ask; 600 where it may only match, else any number."),
    ] = None,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Make a token, and show it: this once, for it is stored nowhere.

    Its holder sends it as `Authorization: Bearer hp_…`. A running node knows it within two seconds. A token that may
    only match asks about ten signals at once at most, so it can be given to an outside platform.
    """
    from hashpact_node.cli.recording import about, actor
    from hashpact_node.services.tokens import TokenPlan, scopes_of

    plan = TokenPlan(name, scopes_of(scope), None if expires is None else life(expires), per_minute)
    with opened(home) as node:
        made = node.tokens.create(plan, by=actor())
        about(token=made.view.id)
    if as_json:
        say_json({**shape(made.view), "token": made.text})
        return
    say(made.text)
    note(f"This is the token {made.view.name}, with the id {made.view.id}. It is shown once: keep it secret.")
    note(f"`hashpact token revoke {made.view.id}` ends it.")


@app.command("list", epilog=examples("hashpact token list", "hashpact token list --json"))
def list_(home: Home = DEFAULT_HOME, as_json: AsJson = False) -> None:
    """List all tokens, those that ended, too; their secrets are stored nowhere."""
    from hashpact_node import clock
    from hashpact_node.cli.tables import NOTHING, ago, show_table

    with opened(home) as node:
        tokens = node.tokens.list()
    if as_json:
        say_json({"tokens": [shape(one) for one in tokens]})
        return
    if not tokens:
        say("no tokens: `hashpact token create NAME --scope SCOPE` makes one")
        return
    now = clock.now()
    rows = [
        (
            one.id,
            one.name,
            " ".join(one.scopes) + (f"\n{one.per_minute:,} a minute" if one.per_minute else ""),
            one.state if one.expires_at is None or one.state != "active" else f"until {ago(one.expires_at, now)}",
            ago(one.created_at, now),
            NOTHING if one.last_used_at is None else ago(one.last_used_at, now),
        )
        for one in tokens
    ]
    show_table(("id", "name", "may", "state", "made", "last used"), rows, keep=("id",))


@app.command(epilog=examples("hashpact token revoke 5f2c9a01de", "hashpact token revoke 5f2c9a01de --json"))
def revoke(
    identifier: Annotated[str, typer.Argument(metavar="ID", help="The id of a token, from `hashpact token list`.")],
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """End a token for good: every running node refuses it within two seconds."""
    with opened(home) as node:
        view = node.tokens.revoke(identifier)
    if as_json:
        say_json(shape(view))
    else:
        say(f"revoked: {view.id} ({view.name})")


def shape(view: TokenView) -> dict[str, Any]:
    """Give a token as programs read it; never its secret."""
    from hashpact_node.cli.output import plain
    from hashpact_node.cli.tables import moment

    times = ("created_at", "expires_at", "revoked_at", "last_used_at")
    return {**plain(view), **{name: moment(getattr(view, name)) for name in times}}


def life(text: str) -> timedelta:
    """Read how long something lives; RequestError."""
    found = _LIFE.fullmatch(text)
    if found is None:
        raise RequestError(f"this is no time: {text[:100]!r}", where="--expires", mend="write it as 90d, 12h or 30min")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})
