"""``hashpact keys status`` and ``hashpact keys check``: how the keys are, and what somebody should mend."""

# ruff: noqa: PLC0415  heavy parts are imported where they are needed, so that help and mistakes are quick
from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hashpact_node.cli.common import DEFAULT_HOME, AsJson, ExitCode, Home, opened
from hashpact_node.cli.output import say, say_json, warn

if TYPE_CHECKING:
    from hashpact_node.services.key_status import KeyStatus


def status(home: Home = DEFAULT_HOME, as_json: AsJson = False) -> None:
    """Show the keys, where they live, when they expire, who must act by when, and the fingerprint that peers pin.

    No passphrase is needed, and no device or cloud is asked. What somebody should do something about is said on
    standard error.
    """
    from hashpact_node import clock
    from hashpact_node.services.key_views import key_table

    found = _found(home)
    if as_json:
        say_json(key_table(found))
    else:
        _show(found, clock.now())
    for warning in found.warnings:
        warn(warning)


def check(
    *,
    offline: Annotated[bool, typer.Option("--offline", help="Ask no peer what time it is there.")] = False,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Look for everything that is wrong with the keys; exit code 7 if there is an error or a warning.

    The whole home is looked through for root and targets keys, which must not be there. No passphrase is needed, and
    no device or cloud is asked. A few peers are asked for something, to compare their clocks with ours.
    """
    from hashpact_keys.findings import Severity
    from hashpact_node.cli.tables import count
    from hashpact_node.services.key_views import findings_table

    found = _found(home, ask=not offline)
    bad = [one for one in found.findings if one.severity is not Severity.NOTICE]
    if as_json:
        say_json({"member": found.member, "files_looked_at": found.looked_at, "findings": findings_table(found)})
    else:
        for one in found.findings:
            about = " ".join(part for part in (one.row and one.row.value, one.where) if part)
            say(f"{one.severity.value}: {one.what}{f' [{about}]' if about else ''} ({one.code})\n  -> {one.mend}")
        say(_verdict(found, len(bad)))
        say(f"{count(found.looked_at, 'file')} of the home looked through for keys that must not be there")
    if bad:
        raise typer.Exit(ExitCode.FOUND)


def _found(home: Path, *, ask: bool = False) -> KeyStatus:
    with opened(home) as node:
        if ask:
            node.key_watch.read_clocks(ask=True)
        return node.key_watch.look()


def _verdict(found: KeyStatus, bad: int) -> str:
    from hashpact_node.cli.tables import count

    offline = {"offline-key-here", "former-key-here"}
    gone = not offline & {one.code for one in found.findings}
    verdict = f"{count(bad, 'finding')} to mend" if bad else "the keys are well"
    return f"{verdict}; no root or targets key lies in this home" if gone else verdict


def _show(found: KeyStatus, now: datetime) -> None:
    from hashpact_node.cli.tables import ago, count, moment, show_fields, show_table

    show_fields((("url", found.url), ("card version", found.card_version), ("fingerprint", found.fingerprint)))
    rows = [
        (
            key.row.value,
            key.uri,
            "not looked at" if key.public is None else key.public.hex()[:16],
            None if key.age is None else count(key.age.days, "day"),
            "with its log" if key.expires is None else ago(int(key.expires.timestamp()), now),
        )
        for key in found.keys
    ]
    show_table(("key", "where", "public", "age", "expires"), rows)
    duties = [
        (
            duty.row.value,
            f"{duty.threshold} of {duty.named}" if duty.threshold else str(duty.named),
            f"{duty.who}: {duty.what}",
            moment(int(duty.by.timestamp())) if duty.by else None,
        )
        for duty in found.duties
    ]
    show_table(("row", "keys", "who must act", "by"), duties, keep=("by",))
    say("Peers pin this node by its fingerprint; give it to them by another channel than the network.")
