"""``hashpact peer invite``, ``peer preview`` and ``peer add``: how two members come to trust each other."""

# ruff: noqa: PLC0415  heavy parts are imported where they are needed, so that help and mistakes are quick
from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from hashpact_node.cli.asking import confirm
from hashpact_node.cli.common import DEFAULT_HOME, AsJson, Home, opened
from hashpact_node.cli.files import read_input, text_output
from hashpact_node.cli.output import note, say, say_json, waiting, warn
from hashpact_node.cli.recording import about
from hashpact_node.masking import without_passwords
from hashpact_protocol.errors import HashpactError, RequestError

if TYPE_CHECKING:
    from hashpact_node.services.introducing import Preview

COMPARE: Final = (
    "The file proves nothing: read the fingerprint to each other over another channel, such as a telephone call to "
    "somebody whose voice is known."
)

MemberArgument = Annotated[str | None, typer.Argument(metavar="MEMBER", help="The peer's member id, such as beta.")]
UrlArgument = Annotated[str | None, typer.Argument(metavar="URL", help="Its public URL.")]
RootOption = Annotated[Path | None, typer.Option(metavar="FILE", help="Its TUF root, received by another channel.")]
FingerprintOption = Annotated[
    str | None, typer.Option(metavar="N:sha256:HEX", help="The fingerprint of its root, by another channel.")
]
InvitationOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Take member, URL and fingerprint from `peer invite --to FILE`.")
]


@dataclass(frozen=True, slots=True)
class Introduced:
    """Whom one was told of, and by which pin; ``by_file`` where the fingerprint came from an invitation alone."""

    member: str
    url: str
    root: bytes | None
    fingerprint: str | None
    by_file: bool = False


def invite(
    to: Annotated[Path | None, typer.Option("--to", metavar="FILE", help="Write a file for the other side.")] = None,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Print what the other side needs to follow this member.

    That is its id, its URL and the fingerprint of its root, in groups that can be read over a telephone. `--to` writes
    a file for `hashpact peer add --invitation` besides. The file is not to be trusted by itself: the fingerprint must
    be compared over another channel than the file came by.
    """
    from hashpact_node.cli.tables import show_fields
    from hashpact_node.services.invitations import own_invitation, spoken_lines

    with opened(home) as node:
        invitation = own_invitation(node.database)
    if to is not None:
        with text_output(to) as file:
            file.write(f"{invitation.encode().decode()}\n")
    if as_json:
        say_json(invitation)
        return
    fields = (("member", invitation.member), ("name", invitation.name), ("url", invitation.url))
    show_fields([*fields, ("fingerprint", invitation.fingerprint)], title="To follow this member, others need")
    say("To read aloud:")
    for line in spoken_lines(invitation.fingerprint):
        say(f"  {line}")
    note(COMPARE if to is not None else "Give it by another channel than the network, such as a telephone call.")


def preview(
    member: MemberArgument = None,
    url: UrlArgument = None,
    *,
    root: RootOption = None,
    fingerprint: FingerprintOption = None,
    invitation: InvitationOption = None,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Show whom `peer add` would let this node trust, and why; change nothing.

    The member's own trust repository is read under the pin that is given. A few peers are asked whether they trust the
    same card. What could be somebody else under a similar name is said.
    """
    who = introduced(member, url, root, fingerprint, invitation)
    with opened(home) as node, _naming(root), _reading(who):
        found = node.introducer.look(who.member, who.url, root=who.root, fingerprint=who.fingerprint)
    if as_json:
        say_json(found)
    else:
        show_preview(found)


def add(
    member: MemberArgument = None,
    url: UrlArgument = None,
    *,
    root: RootOption = None,
    fingerprint: FingerprintOption = None,
    invitation: InvitationOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not show and ask.")] = False,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Follow a peer, pinned by its root or by that root's fingerprint.

    Either must have come to you by another channel than the peer's own address: whoever answers there could claim to
    be anybody. The other side's `hashpact peer invite` shows its fingerprint. You are shown whom you are about to
    trust, and asked. Nothing is added unless its trust repository can be read and leads from that root to its card.
    """
    who = introduced(member, url, root, fingerprint, invitation, yes=yes)
    about(member=who.member, url=who.url, fingerprint=who.fingerprint)
    _may_go_on(yes=yes, as_json=as_json)
    with opened(home) as node, _naming(root):
        if not yes:
            with _reading(who):
                found = node.introducer.look(who.member, who.url, root=who.root, fingerprint=who.fingerprint)
            show_preview(found)
            confirm(_question(who, found))
        with _reading(who):
            view = node.peering.add(who.member, who.url, root=who.root, fingerprint=who.fingerprint)
    if as_json:
        from hashpact_node import clock
        from hashpact_node.cli.shapes import peer_shape

        say_json(peer_shape(view, clock.now()))
        return
    say(f"{view.peer.member} is followed at {view.peer.url}, pinned by {view.peer.pinned_fingerprint}")
    note(
        f"{view.peer.member} answers nobody whom it does not follow: unless it follows this member already, give it "
        "what `hashpact peer invite` prints, for its own `hashpact peer add`."
    )
    note(f"A running node pulls it within moments; `hashpact peer pull {view.peer.member}` does it now.")


def introduced(
    member: str | None,
    url: str | None,
    root: Path | None,
    fingerprint: str | None,
    invitation: Path | None,
    *,
    yes: bool = False,
) -> Introduced:
    """Gather whom one was told of; RequestError where that is too little, does not agree, or may not go unasked."""
    data = None if root is None else read_input(root)
    if invitation is None:
        if member is None or url is None:
            raise RequestError(
                "a peer has a member id and a URL", where="MEMBER URL", mend="give both, or --invitation FILE"
            )
        return Introduced(member, url, data, fingerprint)
    from hashpact_node.services.invitations import parse_invitation

    found = parse_invitation(read_input(invitation), where=str(invitation))
    for name, given, told in (
        ("member", member, found.member),
        ("URL", url, found.url),
        ("fingerprint", fingerprint, found.fingerprint),
    ):
        if given is not None and given != told:
            raise RequestError(
                f"the invitation has the {name} {told}, and {given} was given with it",
                where=str(invitation),
                mend="ask the member, by another channel, which is right; do not go on before both agree",
            )
    if yes and fingerprint is None and root is None:
        raise RequestError(
            "an invitation is a file, which proves nothing about whom it comes from",
            where="--invitation",
            mend="give the fingerprint that you were told over another channel, too: --fingerprint N:sha256:HEX",
        )
    return Introduced(found.member, found.url, data, found.fingerprint, by_file=fingerprint is None and root is None)


def _may_go_on(*, yes: bool, as_json: bool) -> None:
    """Refuse early what would need somebody to ask; RequestError."""
    mend = "look with `hashpact peer preview`, and add --yes if it is whom you mean"
    if not yes and as_json:
        raise RequestError("nobody is asked where JSON is written", where="--yes", mend=mend)
    if not yes and not sys.stdin.isatty():
        raise RequestError("there is no terminal to ask on", where="--yes", mend=mend)


def _question(who: Introduced, found: Preview) -> str:
    if who.by_file:
        return f"Did {found.member} itself read this fingerprint to you, over another channel than the file's?"
    return f"Follow {found.member}, and let what it lists count here?"


def show_preview(found: Preview) -> None:
    """Write whom one is about to trust, and why; what asks for a second look is warned of."""
    from hashpact_node.cli.tables import count, show_fields
    from hashpact_node.services.invitations import spoken_lines

    keys = f"{found.root_threshold} of {count(found.root_keys, 'key')} must sign"
    fields = (
        ("name", found.name),
        ("url", found.url),
        ("contacts", ", ".join(found.contacts) or "none"),
        ("root", f"version {found.root_version}, {keys}, until {found.root_expires}"),
        ("card", f"version {found.card_version}, signed until {found.card_expires}"),
        ("logs", ", ".join(found.logs) or "none yet"),
        ("keys", f"{count(found.witness_keys, 'witness key')}, {count(found.request_keys, 'request key')}"),
        ("known to", _known_to(found)),
        ("directory", found.directory),
        ("fingerprint", found.fingerprint),
        ("pinned by", found.pinned if found.pinned != found.fingerprint else None),
    )
    show_fields(fields, title=f"You are about to trust {found.member}")
    say("Why: its own repository leads from the root that you pinned to this card. That root, to compare:")
    for line in spoken_lines(found.pinned):
        say(f"  {line}")
    for caution in found.cautions:
        warn(caution, "ask the member, by another channel, before you go on")


def _known_to(found: Preview) -> str:
    if not found.peers_asked:
        return "no peer could be asked"
    return f"{', '.join(found.known_to) or 'none'}, of {found.peers_asked} that were asked and answered"


@contextmanager
def _reading(who: Introduced) -> Iterator[None]:
    with waiting(f"reading the trust repository of {without_passwords(who.url)}…"):
        yield


@contextmanager
def _naming(root: Path | None) -> Iterator[None]:
    """Let errors about the root that was given name its file."""
    try:
        yield
    except HashpactError as error:
        if root is not None and error.where is not None:
            error.where = error.where.replace("the root given", f"--root {root}", 1)
        raise
