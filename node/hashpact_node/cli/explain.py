"""``hashpact explain``: why a signal, a file or a listing stands as it does."""

# ruff: noqa: PLC0415  heavy parts are imported where they are needed, so that help and mistakes are quick
from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hashpact_node.cli.common import DEFAULT_HOME, AsJson, ExitCode, Home, opened
from hashpact_node.cli.output import say, say_json
from hashpact_protocol.errors import RequestError, StatementError

if TYPE_CHECKING:
    from hashpact_node.assembly import Node
    from hashpact_node.services.explaining_history import Event
    from hashpact_node.services.explaining_views import Became, ExplainedSignal, Explanation, Said, Thought


class Form(Enum):
    """In which form it is explained."""

    TEXT = "text"
    DSA = "dsa"


def explain(
    subject: Annotated[
        str,
        typer.Argument(metavar="SIGNAL|FILE|LISTING", help="A hash as type:value, a file, or the id of a listing."),
    ],
    *,
    form: Annotated[
        Form, typer.Option("--format", help="dsa: a draft of a statement of reasons (DSA, Article 17), as JSON.")
    ] = Form.TEXT,
    history: Annotated[
        bool, typer.Option("--history/--no-history", help="Read all that was ever said of it out of the logs.")
    ] = True,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Say what it is, who lists it since when, who disagrees, which rule decided, and what would change that.

    A file is hashed here, and nothing of it is kept. The exit code is 3 where there is nothing to explain: nobody lists
    it, and nobody ever did.
    """
    with opened(home) as node:
        explanation = _explained(node, subject, history=history)
    if form is Form.DSA:
        from hashpact_node.services.statement_of_reasons import statement_of_reasons

        say_json(statement_of_reasons(explanation))
    elif as_json:
        say_json(explanation)
    else:
        _show(explanation)
    if not explanation.known:
        raise typer.Exit(ExitCode.NOT_FOUND)


def _explained(node: Node, subject: str, *, history: bool) -> Explanation:
    path = Path(subject)
    if path.is_file():
        from hashpact_node.services.hashing import hash_file

        return node.explainer.file(hash_file(path), history=history)
    if _is_id(subject):
        return node.explainer.listing(subject, history=history)
    kind, colon, value = subject.partition(":")
    if not colon:
        raise RequestError(
            "this is no file, no signal and no id of a listing",
            where=subject[:100],
            mend="write a signal as type:value, such as sha256:9f86d081…, and an id in full",
        )
    return node.explainer.signal(kind, value, history=history)


def _is_id(text: str) -> bool:
    from hashpact_protocol.statement_fields import check_identifier

    try:
        check_identifier(text)
    except StatementError:
        return False
    return True


def _show(explanation: Explanation) -> None:
    say(f"{explanation.asked}: {explanation.action.upper() if explanation.known else 'not listed'}")
    for notice in explanation.notices:
        say(f"  note: {notice}")
    for signal in explanation.signals:
        _show_signal(signal)
    _section("History of the listing", map(_event, explanation.history))


def _show_signal(signal: ExplainedSignal) -> None:
    say()
    near = "" if signal.distance == 0 else f" ({signal.distance} bits away from what was asked)"
    since = "" if signal.changed_at is None else f", last changed here {signal.changed_at}"
    say(f"{signal.type}:{signal.value}{near}")
    say(f"  {signal.action}{since}")
    for notice in signal.notices:
        say(f"  note: {notice}")
    _section("Why", signal.because)
    _section("Who says so", (line for one in signal.said for line in _said(one)), otherwise="nobody now")
    thoughts = ((one, thought) for one in signal.said for thought in one.opinions)
    _section("What others think", (_thought(*both) for both in thoughts), otherwise="nobody has said")
    _section(
        "Decisions of this company",
        (
            f"{one.verdict} {one.about}: {one.why} (decision {one.number}, {one.made_by}, {one.made_at}"
            f"{'' if one.until is None else f', until {one.until}'})"
            for one in signal.decisions
        ),
        otherwise="none",
    )
    outcomes = [] if signal.outcomes is None else [_became(signal.outcomes)]
    _section("What became of matches", outcomes, otherwise="not measured: nobody has said it")
    changes = (f"{change.action:<7} {change.what}" for change in signal.would_change)
    _section("What would change it", changes, otherwise="nothing that this node can think of")
    _section("History", map(_event, signal.history))


def _became(became: Became) -> str:
    counts = f"matched {became.matched:,}, removed {became.removed:,}, appealed {became.appealed:,}"
    return f"{counts}, reinstated {became.reinstated:,}; last said on {became.last_day}"


def _section(title: str, lines: Iterable[str], *, otherwise: str | None = None) -> None:
    told = list(lines) or ([] if otherwise is None else [otherwise])
    if told:
        say(f"  {title}")
        for line in told:
            say(f"    {line}")


def _said(said: Said) -> Iterable[str]:
    whose = f"{said.member} (this company)" if said.own else said.member
    since = "since a time that cannot be read" if said.time is None else f"since {said.time}, as it says"
    state = ", expired" if said.expired else ""
    yield f"{whose} {since}{state}"
    facts = [
        said.content,
        ", ".join(said.labels),
        None if said.confirmed is None else f"confirmed by {said.confirmed}",
        None if said.quality is None else f"quality {said.quality}",
        None if said.origin in {None, "own"} else f"material of {said.origin}",
        None if said.incident is None else f"incident {said.incident}",
        None if said.expires is None else f"expires {said.expires}",
        None if said.review_by is None else f"to be reviewed by {said.review_by}",
        "to be preserved as evidence" if said.preserve else None,
        said.problem,
    ]
    yield f"  {'; '.join(fact for fact in facts if fact)}"
    if said.note:
        yield f"  says: {said.note}"
    yield f"  listing {said.listing or 'unknown'}, entry {said.index} of {said.log}"


def _thought(said: Said, thought: Thought) -> str:
    reason = "" if thought.reason is None else f" ({thought.reason})"
    past = "" if thought.counts else ", of an older revision, so that it does not count"
    return f"{thought.member}: {thought.verdict}{reason} with {said.member}, {thought.time}{past}"


def _event(event: Event) -> str:
    reason = "" if event.reason is None else f" ({event.reason})"
    dropped = "" if event.names or event.what == "withdrew" else ", without this signal"
    void = "" if event.counts else "; the log counts no more"
    where = f"entry {event.index} of {event.log}"
    return f"{event.time}  {event.member} {event.what} {event.listing}{reason}{dropped}  {where}{void}"
