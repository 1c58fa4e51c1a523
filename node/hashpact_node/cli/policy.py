"""``hashpact policy …``: check a policy file, try what it would change, and show the one that holds."""

# ruff: noqa: PLC0415  heavy parts are imported where they are needed, so that help and mistakes are quick
from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hashpact_node.cli.common import DEFAULT_HOME, AsJson, Home, opened
from hashpact_node.cli.output import note, say, say_json, warn
from hashpact_node.cli.program import Commands, examples
from hashpact_protocol.errors import NotFoundError

if TYPE_CHECKING:
    from hashpact_node.assembly import Node
    from hashpact_node.services.judging_anew import Trial
    from hashpact_protocol.policy_form import Policy

app = typer.Typer(cls=Commands, rich_markup_mode=None, help="What is recommended for what matches, and why.")

PolicyFile = Annotated[Path, typer.Argument(metavar="FILE", help="A policy file (docs/policy.md).")]


@app.command("check", epilog=examples("hashpact policy check policy.toml"))
def check(file: PolicyFile, as_json: AsJson = False) -> None:
    """Check a policy file: its form, contradictions, rules that are never reached, labels that nobody knows.

    No node is needed. What is refused ends with an exit code other than 0; warnings do not.
    """
    policy = _read(file)
    warnings = _warnings(policy)
    if as_json:
        say_json({"rules": len(policy.rules), "warnings": warnings})
        return
    for warning in warnings:
        warn(warning)
    say(f"{file}: {len(policy.rules)} rules, {len(warnings)} warnings")


@app.command("try", epilog=examples("hashpact policy try new.toml", "hashpact policy try new.toml --samples 50 --json"))
def try_(
    file: PolicyFile,
    samples: Annotated[int, typer.Option(min=0, max=1_000, help="How many signals are named for each change.")] = 10,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Show what a policy would change, before it does: how many signals from which action to which, and some of them.

    Members that it names and this node does not follow are told: one that is misspelt would be trusted like all others.

    Nothing is changed. To let it hold, put it into the home as policy.toml; a running node takes it up within seconds.
    """
    from hashpact_node.services.judging_anew import try_policy

    policy = _read(file)
    for warning in _warnings(policy):
        warn(warning)
    with opened(home) as node:
        trial = try_policy(node.database, policy, node.policies.now(), samples=samples)
        strangers = _strangers(node, policy)
    if strangers:
        warn(f"this node follows no member {', '.join(strangers)}: see `hashpact peer list` for how they are spelt")
    if as_json:
        say_json(_trial_shape(trial))
    else:
        _show_trial(trial)


@app.command("show", epilog=examples("hashpact policy show", "hashpact policy show --json"))
def show(home: Home = DEFAULT_HOME, as_json: AsJson = False) -> None:
    """Show the policy that holds, since when, and whether signals are still being judged by it.

    It is the last good one: where policy.toml is broken, an alarm says so, and this is not what stands in it.
    """
    from hashpact_node.store.judging import policy_in_force

    with opened(home) as node, node.database.read() as connection:
        held = policy_in_force(connection)
    since = None if held.since is None or held.text is None else _time(held.since)
    if as_json:
        say_json(
            {"default": held.text is None, "since": since, "judging": held.sweep_to is not None, "text": held.text}
        )
        return
    if held.text is None:
        say("the default policy holds: there is no policy.toml (docs/policy.md)")
    else:
        say(held.text.rstrip("\n"))
        note(f"it holds since {since}")
    if held.sweep_to is not None:
        note(f"signals are being judged by it: {held.swept or 0:,} of {held.sweep_to:,} changes")


@app.command("schema", epilog=examples("hashpact policy schema > policy.schema.json"))
def schema() -> None:
    """Print the JSON Schema of policy.toml."""
    from hashpact_protocol.policy_file import policy_schema

    say_json(policy_schema())


def _read(file: Path) -> Policy:
    from hashpact_node.services.policies import read_text
    from hashpact_protocol.policy_file import read_policy

    text = read_text(file)
    if text is None:
        raise NotFoundError("there is no such file", where=str(file), mend="name a policy file; see docs/policies")
    return read_policy(text, where=str(file))


def _warnings(policy: Policy) -> list[str]:
    from hashpact_protocol.policy_checks import unknown_labels, warnings
    from hashpact_protocol.taxonomy import taxonomy

    unknown = [f"the taxonomy does not know the label {label!r}" for label in unknown_labels(policy, taxonomy().labels)]
    return [f"{one.what} ({one.mend})" for one in warnings(policy)] + unknown


def _strangers(node: Node, policy: Policy) -> list[str]:
    """Name the members of a policy that are neither followed here nor this one: terms for them hold for nobody."""
    from hashpact_node.store.peers import SHOWN, list_peers
    from hashpact_protocol.policy_checks import members_named

    with node.database.read() as connection:
        known = {peer.member for peer in list_peers(connection, own=True, states=SHOWN)}
    return sorted(members_named(policy) - known)


def _trial_shape(trial: Trial) -> dict[str, Any]:
    moves = [
        {"from": before, "to": after, "signals": count, "samples": trial.samples.get((before, after), [])}
        for (before, after), count in sorted(trial.moves.items())
        if before != after
    ]
    return {
        "signals": trial.signals,
        "changed": trial.changed,
        "moves": moves,
        "rules": dict(sorted(trial.rules.items())),
    }


def _show_trial(trial: Trial) -> None:
    from hashpact_node.cli.tables import show_table

    say(f"{trial.changed:,} of {trial.signals:,} signals would get another action")
    moves = _trial_shape(trial)["moves"]
    if moves:
        rows = [(move["from"], move["to"], f"{move['signals']:,}", "\n".join(move["samples"])) for move in moves]
        show_table(("from", "to", "signals", "for example"), rows, right=("signals",))
    rules = [(name, f"{count:,}") for name, count in trial.rules.most_common()]
    show_table(("rule that would decide", "signals"), rules, right=("signals",))


def _time(seconds: int) -> str:
    from hashpact_protocol.statement_fields import format_time

    return format_time(datetime.fromtimestamp(seconds, UTC))
