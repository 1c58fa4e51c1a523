"""``hashpact keys rotate`` and ``keys revoke``: another key takes the place of one that the card names."""

# ruff: noqa: PLC0415  heavy parts are imported where they are needed, so that help and mistakes are quick
from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hashpact_keys.rows import TRUST_ROWS, RowName
from hashpact_node.cli.card_drafts import DraftOption, signing
from hashpact_node.cli.common import DEFAULT_HOME, AsJson, Home, opened, wake
from hashpact_node.cli.output import say, say_json, waiting, warn
from hashpact_protocol.errors import RequestError

if TYPE_CHECKING:
    from hashpact_node.services.rotating import Rotated

ROTATE_EXAMPLES = (
    "hashpact keys rotate release",
    "hashpact keys rotate release --finish",
    "hashpact keys rotate witness",
    "hashpact keys rotate",
)
REVOKE_EXAMPLES = ("hashpact keys revoke witness", "hashpact keys revoke request --key file:keys/request-9.key")

KeyUri = Annotated[
    str | None,
    typer.Option("--key", metavar="URI", help="The new key, where it is not to be a new file in the home."),
]


def rotate(  # noqa: PLR0917  # typer calls it by name
    row: Annotated[RowName | None, typer.Argument(metavar="[ROW]", help="Any row; without one, show.")] = None,
    key: KeyUri = None,
    finish: Annotated[
        bool, typer.Option("--finish", help="Let the new key stand alone, and put the old one away.")
    ] = False,
    at_once: Annotated[
        bool, typer.Option("--at-once", help="With --finish: do not wait until all peers know the new key.")
    ] = False,
    overlap: Annotated[
        float,
        typer.Option(metavar="HOURS", min=0, max=720, help="How long peers are given to read the new card."),
    ] = 2.0,
    status: Annotated[bool, typer.Option("--status", help="Show what is under way, and change nothing.")] = False,
    draft: DraftOption = None,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Replace a key that the card names, without a gap; without ROW show what is under way.

    release and crisis: the new key signs beside the old one, until --finish lets it stand alone. witness and request:
    the new key begins by itself once every peer has read the card. The targets key signs each new card. root, targets
    and online are named by the root: a draft of a ceremony is written, and published where the keys here are enough.
    """
    if row is None or status:
        if finish or key is not None:
            raise RequestError("this needs a row", mend="for example `hashpact keys rotate release --finish`")
        _show_under_way(home, row, as_json=as_json)
        return
    if finish and key is not None:
        raise RequestError("--finish takes no --key", mend="the new key is the one that the rotation began with")
    if row in TRUST_ROWS:
        _by_ceremony(home, row, draft, revokes=False, as_json=as_json)
        return
    with opened(home) as node, signing(node, draft):
        if finish:
            done = node.rotating.finish(row, at_once=at_once)
        else:
            done = node.rotating.rotate(row, uri=key, overlap=timedelta(hours=overlap))
    _show(done, as_json=as_json)


def revoke(
    row: Annotated[RowName, typer.Argument(metavar="ROW", help="witness, request, or root, targets, online.")],
    key: KeyUri = None,
    draft: DraftOption = None,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Replace a stolen key at once: whatever it signed counts no more.

    root, targets and online go by a ceremony: its draft is written, and published where the keys here are enough.
    A release or crisis key is not revoked by itself, since its thief may have published: `hashpact keys recover`.
    """
    if row in TRUST_ROWS:
        _by_ceremony(home, row, draft, revokes=True, as_json=as_json)
        return
    with opened(home) as node, signing(node, draft):
        done = node.rotating.revoke(row, uri=key)
    _show(done, as_json=as_json)


def _by_ceremony(home: Path, row: RowName, draft: Path | None, *, revokes: bool, as_json: bool) -> None:
    """Replace a key that the root names; where signatures are missing, leave the draft for those who have to sign."""
    from hashpact_node.cli.keys_ceremony import must_be_new, say_in_force, show_draft, write_draft

    path = draft or Path(f"{row.value}-ceremony.json")
    must_be_new(path)
    with opened(home) as node, waiting("signing…"):
        wake(node)
        made, done = node.ceremonies.rotate(row, revokes=revokes)
    if done is None:
        write_draft(path, made)
        show_draft(made, as_json=as_json, file=path)
    elif as_json:
        say_json(done)
    else:
        say_in_force(done)


def _show(done: Rotated, *, as_json: bool) -> None:
    if as_json:
        from dataclasses import asdict

        say_json(asdict(done))
        return
    from hashpact_node.services.rotating import BOTH, NEXT

    say(f"{done.row}: {done.step}; {done.key}")
    if done.at is not None and done.step == NEXT:
        say(f"it begins by itself at {_time(done.at)}; then the old one is put away by: {_finish(done.row)}")
    if done.at is not None and done.step == BOTH:
        say(f"from {_time(done.at)} on: {_finish(done.row)}")
    for uri in done.retired:
        say(f"out of node.toml: {uri}")
    if done.card is not None:
        say(f"card version {done.card}")
    for note in done.notes:
        warn(note)


def _show_under_way(home: Path, row: RowName | None, *, as_json: bool) -> None:
    from dataclasses import asdict

    from hashpact_node import clock
    from hashpact_node.cli.tables import show_table
    from hashpact_node.services.rotation_state import rotations_under_way

    with opened(home) as node:
        found = rotations_under_way(node.database, node.rotating.places, clock.now())
    found = [one for one in found if row is None or one.row == row.value]
    if as_json:
        say_json({"under_way": [asdict(one) for one in found]})
    elif not found:
        say("No rotation is under way.")
    else:
        rows = [
            (one.row, one.what, "-" if one.at is None else _time(one.at), one.command or "nobody has to act")
            for one in found
        ]
        show_table(("row", "what", "until", "then"), rows)


def _finish(row: str) -> str:
    return f"hashpact keys rotate {row} --finish"


def _time(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%SZ}"
