"""``hashpact erase``: let a listing's bytes disappear everywhere."""

# ruff: noqa: PLC0415  heavy parts are imported where they are needed, so that help and mistakes are quick
from __future__ import annotations

from typing import Annotated

import typer

from hashpact_node.cli.common import DEFAULT_HOME, AsJson, Home, opened
from hashpact_node.cli.drafts import tell_draft
from hashpact_node.cli.output import say, say_json, waiting
from hashpact_node.cli.publishing import end_with
from hashpact_node.cli.recording import actor
from hashpact_protocol.errors import RequestError


def erase(
    listing: Annotated[str, typer.Argument(metavar="LISTING", help="The id of an own listing.")],
    reason: Annotated[str, typer.Option(metavar="WORD", help="Why, such as law or error.")],
    at_once: Annotated[
        bool, typer.Option("--now", help="Sign the card at once that erases the log; the targets key must be here.")
    ] = False,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Withdraw a listing, and let its bytes disappear everywhere.

    It is withdrawn at once. Its bytes go with the next `hashpact logs open NAME --fresh`, for which an officer signs a
    card: the log that holds them is erased then, and so are its copies at our peers.
    """
    with opened(home, publishes=True) as node, waiting("withdrawing…"):
        if node.settings.four_eyes:
            if at_once:
                raise RequestError("somebody else has to approve this first", where="--now", mend="leave --now out")
            draft = node.approving.propose_withdrawal(listing, reason, actor(), erase=True)
            tell_draft(draft, as_json=as_json)
            return
        names = node.publisher.listing(listing).names
        published = node.publisher.withdraw(listing, reason, erase=True)
        done = [node.succession.open(name, fresh=True) for name in names if at_once]
    if as_json:
        from dataclasses import asdict

        from hashpact_node.cli.shapes import published_shape

        say_json({**published_shape(published), "successor": asdict(done[0]) if done else None})
    elif not done:
        say(f"withdrawn: {listing}")
        for name in names:
            say(f"its bytes go with the next `hashpact logs open {name} --fresh`")
    else:
        say(f"withdrawn, and left out of {', '.join(one.opened or '' for one in done)}: {listing}")
        say("see `hashpact logs status --ask` for who still has it")
    end_with(published)
