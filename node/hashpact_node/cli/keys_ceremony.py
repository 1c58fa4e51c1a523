"""``hashpact keys ceremony …``: a new root or card, signed by people on several machines."""

# ruff: noqa: PLC0415  heavy parts are imported where they are needed, so that help and mistakes are quick
from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from hashpact_node.cli.common import DEFAULT_HOME, AsJson, ExitCode, Home, opened, wake
from hashpact_node.cli.files import read_input, text_output
from hashpact_node.cli.output import note, say, say_json, waiting, warn
from hashpact_node.cli.program import Commands, examples
from hashpact_protocol.errors import RequestError

if TYPE_CHECKING:
    from hashpact_keys.ceremony import RowChange
    from hashpact_keys.ceremony_draft import Draft
    from hashpact_keys.rows import RowName
    from hashpact_node.services.ceremonies import PutInForce

DIGITS_MIN: Final = 8
"""How many digits of the digest a signer must know at least."""

app = typer.Typer(
    cls=Commands,
    rich_markup_mode=None,
    help="A new root or card, signed by people on several machines.",
)

DraftFile = Annotated[Path, typer.Argument(metavar="DRAFT", help="The file that is passed from hand to hand.")]
Drafts = Annotated[
    list[Path], typer.Argument(metavar="DRAFT…", help="The draft, or the copies of it that were signed apart.")
]
_HOLDER = "HOLDER=FILE.pem"


@app.command(
    epilog=examples(
        "hashpact keys ceremony start root-2.json --root ann=ann.pem --root bob=bob.pem --root cem=cem.pem",
        "hashpact keys ceremony start root-3.json --online file:keys/online-2.key",
        "hashpact keys ceremony start card.json --card",
    )
)
def start(
    draft: DraftFile,
    *,
    root: Annotated[
        list[str] | None, typer.Option(metavar=_HOLDER, help="A root key from now on, and who holds it; once for each.")
    ] = None,
    root_threshold: Annotated[
        int | None, typer.Option(metavar="N", help="How many root keys must sign; more than half if nothing is said.")
    ] = None,
    targets: Annotated[
        list[str] | None, typer.Option(metavar=_HOLDER, help="A targets key from now on, and who holds it.")
    ] = None,
    targets_threshold: Annotated[int, typer.Option(metavar="N", help="How many targets keys must sign a card.")] = 1,
    online: Annotated[
        str | None, typer.Option(metavar="URI", help="The node's new online key; a file is made if it is not there.")
    ] = None,
    days: Annotated[
        int, typer.Option(metavar="DAYS", help="For how long the new root is valid.", min=1, max=3650)
    ] = 365,
    card: Annotated[bool, typer.Option("--card", help="No new root: sign the card in force for another year.")] = False,
    with_card: Annotated[
        bool, typer.Option("--with-card", help="Sign the card in force anew as well, so that peers look at once.")
    ] = False,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Write a draft of the next root of this node's trust repository.

    What is not named stays; with nothing named, the root is renewed for its time. Public keys are PEM files, as
    `hashpact keys public` and `keys generate` write them. Nothing changes before `publish`.
    """
    from datetime import timedelta

    from hashpact_keys.rows import RowName

    if card and (root or targets or online):
        raise RequestError("--card signs the card in force, and changes no root", mend="leave the other options away")
    changes: dict[RowName, RowChange] = {}
    if root:
        changes[RowName.ROOT] = _change(root, root_threshold)
    if targets:
        changes[RowName.TARGETS] = _change(targets, targets_threshold)
    must_be_new(draft)
    with opened(home) as node:
        made = (
            node.ceremonies.start_card()
            if card
            else node.ceremonies.start(changes, online=online, expires=timedelta(days=days), with_card=with_card)
        )
    write_draft(draft, made)
    show_draft(made, as_json=as_json, file=draft)
    if not as_json:
        note(f"Give {draft} to those who sign, and read them the digest by another way than the file took.")


@app.command(
    epilog=examples(
        "hashpact keys ceremony sign root-2.json --key file:/media/ann/root.key",
        "hashpact keys ceremony sign root-2.json --key 'pkcs11:token=ann;object=root?module-path=/…/libsofthsm2.so'",
    )
)
def sign(
    draft: DraftFile,
    key: Annotated[str, typer.Option(metavar="URI", help="The key to sign with, such as file:root.key or pkcs11:….")],
    digest: Annotated[
        str | None,
        typer.Option(metavar="HEX", help="What was read to you of the digest; asked for if it is not given."),
    ] = None,
    home: Annotated[
        Path, typer.Option("--home", metavar="FOLDER", help="Where relative paths of keys start.")
    ] = Path(),
    as_json: AsJson = False,
) -> None:
    """Sign a draft with one key, on any machine: it needs no node and no network.

    It shows what changes, and asks for the digest that the author of the draft reads to you: type it from what you
    hear, not from this screen.
    """
    from hashpact_keys.ceremony import sign_draft
    from hashpact_keys.signers import open_trust_signer
    from hashpact_node.cli.key_access import keystore_without_home

    known = _read(draft)
    if not as_json:
        _say_changes(known, with_digest=False)
    _must_know(known, digest)
    with waiting("signing…"):
        signed = sign_draft(known, open_trust_signer(key, keystore_without_home(home)))
    write_draft(draft, signed)
    show_draft(signed, as_json=as_json, file=draft, changes=False)


@app.command(
    epilog=examples("hashpact keys ceremony status root-2.json", "hashpact keys ceremony status copies/*.json")
)
def status(drafts: Drafts, as_json: AsJson = False) -> None:
    """Show what a draft changes, who has signed and who is missing; needs no node.

    Exit code 4 as long as signatures are missing.
    """
    from hashpact_keys.ceremony import lacking

    merged = _merged(drafts)
    show_draft(merged, as_json=as_json)
    if lacking(merged):
        raise typer.Exit(ExitCode.BUSY)


@app.command(epilog=examples("hashpact keys ceremony publish root-2.json"))
def publish(drafts: Drafts, home: Home = DEFAULT_HOME, as_json: AsJson = False) -> None:
    """Check the signatures of a draft, by the old root and the new one, and put it into force on this node."""
    merged = _merged(drafts)
    with opened(home) as node, waiting("publishing…"):
        wake(node)
        done = node.ceremonies.publish(merged)
    if as_json:
        say_json(done)
    else:
        say_in_force(done)


def say_in_force(done: PutInForce) -> None:
    """Say what a ceremony came to."""
    say(f"in force: root {done.fingerprint}")
    say(f"card version {done.card}")
    for uri in done.dropped:
        say(f"taken out of node.toml, since it counts no more: {uri}")
    note("Peers follow by themselves at their next pull. A new peer is given this fingerprint.")


def _change(values: list[str], threshold: int | None) -> RowChange:
    from hashpact_keys.ceremony import NamedKey, RowChange
    from hashpact_keys.public_keys import key_from_pem

    keys = []
    for value in values:
        holder, _, path = value.partition("=")
        if not path or not holder.isprintable() or not holder:
            raise RequestError(f"{value!r} does not say who holds which key", mend=f"write it as {_HOLDER}")
        keys.append(NamedKey(key_from_pem(read_input(Path(path), max_bytes=16_384), where=path), holder))
    return RowChange(tuple(keys), len(keys) // 2 + 1 if threshold is None else threshold)


def must_be_new(path: Path) -> None:
    """Raise RequestError for a file that exists: no draft is overwritten by another."""
    if path.exists():
        raise RequestError("this file exists already", where=str(path), mend="give the draft another name")


def _read(path: Path) -> Draft:
    from hashpact_keys.ceremony_draft import parse_draft

    return parse_draft(read_input(path), where=str(path))


def _merged(paths: list[Path]) -> Draft:
    from hashpact_keys.ceremony import merge_drafts

    return merge_drafts([_read(path) for path in paths])


def write_draft(path: Path, draft: Draft) -> None:
    """Write a draft as a whole, or not at all."""
    from hashpact_keys.ceremony_draft import encode_draft

    with text_output(path) as output:
        output.write(encode_draft(draft).decode())


def _at_terminal() -> bool:
    return sys.stdin.isatty()


def _must_know(draft: Draft, said: str | None) -> None:
    """Let nobody sign who has not heard the digest from the author of the draft."""
    if said is None:
        if not _at_terminal():
            raise RequestError(
                "whoever signs must have heard the digest of the draft", mend="give what was read to you with --digest"
            )
        said = typer.prompt(f"The first {DIGITS_MIN} digits or more of the digest, as they were read to you", err=True)
    heard = "".join(said.split()).lower()
    if len(heard) < DIGITS_MIN or not draft.digest.startswith(heard):
        raise RequestError(
            "that is not the digest of this draft, so nothing is signed",
            mend="ask for the digest again; if it still differs, the draft was changed on its way",
        )


def _say_changes(draft: Draft, *, with_digest: bool = True) -> None:
    from hashpact_keys.ceremony_words import changes_in_words, digest_in_groups

    for line in changes_in_words(draft):
        if line.startswith("WARNING: "):
            warn(line.removeprefix("WARNING: "))
        else:
            say(line)
    if with_digest:
        say(f"digest: {digest_in_groups(draft.digest)}")


def show_draft(draft: Draft, *, as_json: bool, file: Path | None = None, changes: bool = True) -> None:
    """Show what a draft changes, and who has signed."""
    from hashpact_keys.ceremony import lacking
    from hashpact_keys.ceremony_draft import requirements
    from hashpact_keys.ceremony_words import changes_in_words
    from hashpact_node.cli.tables import show_table

    found = requirements(draft)
    if as_json:
        value = {"member": draft.member, "digest": draft.digest, "changes": changes_in_words(draft)}
        say_json({**value, "file": file, "ready": not lacking(draft), "requirements": found})
        return
    if changes:
        _say_changes(draft)
    rows = [
        (
            one.what,
            f"{len(one.signed)} of {one.threshold}",
            ", ".join(holder.name or holder.key_id[:12] for holder in one.signed) or "nobody",
            ", ".join(holder.name or holder.key_id[:12] for holder in one.missing) or "nobody",
        )
        for one in found
    ]
    show_table(("to be signed", "is", "by", "not by"), rows)
    say("ready: `hashpact keys ceremony publish`" if not lacking(draft) else "signatures are missing")
