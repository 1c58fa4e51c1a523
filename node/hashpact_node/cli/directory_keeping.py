"""``hashpact directory init``, ``admit``, ``suspend``, ``activate``, ``list``, …: a secretariat's commands."""

# ruff: noqa: PLC0415  heavy parts are imported where they are needed, so that help and mistakes are quick
from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from hashpact_node.cli.asking import confirm
from hashpact_node.cli.common import AsJson
from hashpact_node.cli.output import note, say, say_json, waiting, warn
from hashpact_node.cli.peer_add import FingerprintOption, InvitationOption, MemberArgument, UrlArgument, introduced
from hashpact_protocol.errors import RequestError

if TYPE_CHECKING:
    from hashpact_node.services.directory_home import DirectoryHome
    from hashpact_node.settings import Settings
    from hashpact_protocol.directory import DirectoryMember

DEFAULT_KEEPING: Final = Path("var/directory")

KeptHome = Annotated[Path, typer.Option("--home", metavar="FOLDER", help="The secretariat's folder; never a node's.")]
IncidentArgument = Annotated[str, typer.Argument(metavar="INCIDENT", help="The id of an incident.")]
Listed = Annotated[str, typer.Argument(metavar="MEMBER", help="A member that is listed.")]
_UNSEEN: Final = "Nobody sees it before `hashpact directory publish DIR`."


def init(
    name: Annotated[str, typer.Option(metavar="TEXT", help="The consortium's name, for people.")],
    home: KeptHome = DEFAULT_KEEPING,
    as_json: AsJson = False,
) -> None:
    """Make keys and an empty directory in a new folder.

    It prints the fingerprint of the root, by which nodes pin the directory: give it to them by another channel than the
    address at which it is published. The passphrase of the keys comes from where it does for a node.
    """
    from hashpact_node.cli.tables import show_fields
    from hashpact_node.services.invitations import spoken_lines

    fingerprint = _open(home, new=True).found(name)
    if as_json:
        say_json({"name": name, "home": str(home), "fingerprint": fingerprint})
    else:
        show_fields((("home", home), ("fingerprint", fingerprint)), title=f"A new directory: {name}")
        say("To read aloud:")
        for line in spoken_lines(fingerprint):
            say(f"  {line}")
    warn(
        "the root key, one of one, and the targets key lie in this folder; whoever takes it, says who is a member",
        "keep the folder on a machine that serves nothing, and copy only what `directory publish` writes to the server",
    )


def admit(
    member: MemberArgument = None,
    url: UrlArgument = None,
    *,
    fingerprint: FingerprintOption = None,
    invitation: InvitationOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not show and ask.")] = False,
    home: KeptHome = DEFAULT_KEEPING,
    as_json: AsJson = False,
) -> None:
    """List a member under the fingerprint of its root, or list it anew under another.

    The fingerprint must have come by another channel than the member's own address. Its trust repository is read first:
    who it says it is is shown, and a fingerprint that does not lead to a card of that member is refused.
    """
    from hashpact_node import clock
    from hashpact_node.cli.tables import show_fields
    from hashpact_node.net.addresses import AddressRules
    from hashpact_node.net.fetcher import Fetcher
    from hashpact_node.services.introducing import look_at_member

    who = introduced(member, url, None, fingerprint, invitation, yes=yes)
    pinned = who.fingerprint
    if pinned is None:
        raise RequestError(
            "a member is listed under the fingerprint of its root",
            where=who.member,
            mend="give --fingerprint N:sha256:HEX, as its `hashpact peer invite` prints it",
        )
    kept = _open(home)
    # No rule on loopback: a person types the URL here, and a secretariat serves nobody.
    with Fetcher(AddressRules(_settings(home).allow_networks)) as fetcher, waiting(f"reading {who.url}…"):
        card, _ = look_at_member(fetcher, who.member, who.url, pinned, clock.now())
    for caution in kept.cautions(card, pinned):
        warn(caution, "ask the member, by another channel, before others trust it by your word")
    if not yes:
        fields = (("name", card.name), ("url", card.url), ("contacts", ", ".join(card.contacts) or "none"))
        show_fields([*fields, ("fingerprint", pinned)], title=f"You are about to admit {card.member}")
        confirm(f"Did {card.member} itself tell you this fingerprint, over another channel than its address?")
    _tell(kept.admit(who.member, who.url, pinned), as_json=as_json)


def suspend(
    member: Listed,
    reason: Annotated[str | None, typer.Option(metavar="TEXT", help="Why; every node shows it.")] = None,
    home: KeptHome = DEFAULT_KEEPING,
    as_json: AsJson = False,
) -> None:
    """Say that a member is suspended: nodes that follow with the policy auto stop answering and counting it."""
    _tell(_open(home).suspend(member, reason), as_json=as_json)


def readmit(member: Listed, home: KeptHome = DEFAULT_KEEPING, as_json: AsJson = False) -> None:
    """Say that a suspended member is admitted again."""
    _tell(_open(home).readmit(member), as_json=as_json)


def activate(incident: IncidentArgument, home: KeptHome = DEFAULT_KEEPING, as_json: AsJson = False) -> None:
    """Call an incident active: it is so at nodes whose policy lets the directory say it, and which know of it."""
    _open(home).activate(incident)
    _tell_incident(incident, "active", as_json=as_json)


def conclude(incident: IncidentArgument, home: KeptHome = DEFAULT_KEEPING, as_json: AsJson = False) -> None:
    """Call an incident active no more."""
    _open(home).conclude(incident)
    _tell_incident(incident, "concluded", as_json=as_json)


def list_(home: KeptHome = DEFAULT_KEEPING, as_json: AsJson = False) -> None:
    """List the members, as the directory is signed in this folder."""
    from hashpact_node.cli.tables import show_fields, show_table
    from hashpact_protocol.statement_fields import format_time

    directory, state = _open(home).state()
    expires = {role.role.value: format_time(role.expires) for role in state.roles}
    if as_json:
        told = {"name": directory.name, "version": state.card_version, "fingerprint": state.fingerprint}
        say_json({**told, "expires": expires, "members": directory.members, "incidents": directory.incidents})
        return
    fields = (("version", state.card_version), ("fingerprint", state.fingerprint))
    show_fields([*fields, ("nodes read it until", expires["timestamp"])], title=directory.name)
    rows = [(one.member, one.standing.value, one.since, one.url, one.reason) for one in directory.members]
    show_table(("member", "standing", "since", "url", "reason"), rows, keep=("member",))
    for incident in directory.incidents:
        say(f"active incident: {incident}")


def publish(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What a web server shows at the directory's URL.")],
    home: KeptHome = DEFAULT_KEEPING,
    as_json: AsJson = False,
) -> None:
    """Write what nodes read into a folder, as files for any web server; sign the timestamp anew where it is due.

    Nodes believe a timestamp for a day, so run this every few hours, by a timer. It needs the online key alone.
    """
    from hashpact_protocol.statement_fields import format_time

    state = _open(home).publish(folder)
    until = next(format_time(role.expires) for role in state.roles if role.role.value == "timestamp")
    if as_json:
        say_json({"folder": str(folder), "version": state.card_version, "until": until})
    else:
        say(f"version {state.card_version} lies in {folder}/trust; nodes believe it until {until}")


def _settings(home: Path) -> Settings:
    from hashpact_node.settings import load_settings

    return load_settings(os.environ, home)


def _open(home: Path, *, new: bool = False) -> DirectoryHome:
    from hashpact_keys.keystore import KeyStore
    from hashpact_node import clock
    from hashpact_node.cli.passphrase import PassphraseSource
    from hashpact_node.services.directory_home import DirectoryHome

    passphrase = PassphraseSource(_settings(home), new=new)
    return DirectoryHome(home, KeyStore(home, passphrase), clock.now)


def _tell_incident(incident: str, status: str, *, as_json: bool) -> None:
    if as_json:
        say_json({"incident": incident, "status": status})
    else:
        say(f"{status}: {incident}")
    note(_UNSEEN)


def _tell(entry: DirectoryMember, *, as_json: bool) -> None:
    if as_json:
        say_json(entry)
    else:
        say(f"{entry.member} is {entry.standing.value} since {entry.since}")
    note(_UNSEEN)
