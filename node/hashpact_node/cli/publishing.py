"""``hashpact publish`` and ``hashpact withdraw``."""

# ruff: noqa: PLC0415  heavy parts are imported where they are needed, so that help and mistakes are quick
from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hashpact_node.cli.common import DEFAULT_HOME, AsJson, ExitCode, Home, opened
from hashpact_node.cli.drafts import tell_draft, tell_proposed
from hashpact_node.cli.output import note, say, say_json, waiting, warn
from hashpact_node.cli.recording import about, actor

if TYPE_CHECKING:
    from hashpact_node.services.blobs import NewBlob
    from hashpact_node.services.publishing import Published, PublishedFile

ForeignOrigin = Annotated[
    bool, typer.Option("--allow-foreign-origin", help="Yes, list material of another origin under our name.")
]

Audience = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="Only for an audience, not for all members; several by commas, or repeated."),
]


def audience_names(given: list[str] | None) -> tuple[str, ...]:
    """Give the names of audiences that were given one by one, or separated by commas."""
    return tuple(name for one in given or () for name in one.split(",") if name)


def publish(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Files to hash; nothing else of them leaves.")],
    *,
    label: Annotated[list[str] | None, typer.Option(metavar="LABEL", help="A label; may be repeated.")] = None,
    content: Annotated[
        str | None, typer.Option(metavar="WORD", help="What it is (image, video, …), if the file does not tell.")
    ] = None,
    confirmed: Annotated[str | None, typer.Option(metavar="WORD", help="Who confirmed it, such as human.")] = None,
    handling: Annotated[
        str | None, typer.Option(metavar="WORD", help="members (the default), this-log or no-reshare.")
    ] = None,
    origin: Annotated[str | None, typer.Option(metavar="WORD", help="Whose material it is; own by default.")] = None,
    incident: Annotated[str | None, typer.Option(metavar="UUID", help="The incident it belongs to.")] = None,
    expires: Annotated[str | None, typer.Option(metavar="TIME", help="When it stops acting: …T04:00:00Z.")] = None,
    review_by: Annotated[str | None, typer.Option(metavar="TIME", help="When somebody should look again.")] = None,
    text: Annotated[str | None, typer.Option("--note", metavar="TEXT", help="A note; never about a user.")] = None,
    preserve: Annotated[
        bool, typer.Option("--preserve", help="It has evidential value: ask whoever matches it to keep it, unseen.")
    ] = False,
    blob: Annotated[
        list[str] | None,
        typer.Option(metavar="TYPE=FILE", help="A signal too long for a listing, such as vpdq=FILE; may be repeated."),
    ] = None,
    log: Annotated[str, typer.Option(metavar="NAME", help="The log to publish in.")] = "listings",
    audience: Audience = None,
    foreign_origin_yes: ForeignOrigin = False,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Hash files and publish a listing of each.

    All or none; a file that is listed already stays the listing that exists. Where a node is running on the home, it
    releases what is stored here; else this command does, with the node's keys.
    """
    fields = {
        "labels": tuple(label) if label else None,
        "content": content,
        "confirmed": confirmed,
        "handling": handling,
        "origin": origin,
        "incident": incident,
        "expires": expires,
        "review_by": review_by,
        "note": text,
        "preserve": preserve or None,
        "audiences": audience_names(audience) or None,
    }
    given: dict[str, Any] = {name: value for name, value in fields.items() if value is not None}
    blobs = [_read_blob(one) for one in blob or ()]
    given |= {"log_name": log, "allow_foreign_origin": foreign_origin_yes, "blobs": blobs}
    with opened(home, publishes=True) as node, waiting("publishing…"):
        if node.settings.four_eyes:
            tell_proposed(node.approving.propose_files(files, actor(), **given), as_json=as_json)
            return
        published = node.publisher.publish_files(files, **given)
        about(listings=[one.published.id for one in published])
    for one in published:
        for notice in one.file.notices:
            note(f"{one.file.name}: {notice}")
    if as_json:
        from hashpact_node.cli.shapes import published_file_shape

        say_json({"listings": [published_file_shape(one) for one in published]})
    else:
        _show(published)
    end_with(*(one.published for one in published))


def _read_blob(text: str) -> NewBlob:
    """Read what ``--blob TYPE=FILE`` names; RequestError."""
    from hashpact_node.services.blobs import NewBlob
    from hashpact_protocol.errors import RequestError
    from hashpact_protocol.limits import LIMITS

    type_name, _, path = text.partition("=")
    if not type_name or not path:
        raise RequestError("this is no TYPE=FILE", where=f"--blob {text[:100]}", mend="write it as vpdq=video.vpdq")
    try:
        with Path(path).open("rb") as file:
            # One byte more shows that it is too long, however long it is.
            return NewBlob(type_name, file.read(LIMITS.blob_max_bytes + 1), path)
    except OSError as error:
        raise RequestError(f"the file cannot be read: {error.strerror}", where=path, mend="check its name") from error


def withdraw(
    listing: Annotated[str, typer.Argument(metavar="LISTING", help="The id of an own listing.")],
    reason: Annotated[str, typer.Option(metavar="WORD", help="Why, such as error, appeal or law.")],
    text: Annotated[str | None, typer.Option("--note", metavar="TEXT", help="A note; never about a user.")] = None,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Withdraw a listing of this member.

    It leaves our blocklist at once, and those of our peers when they next pull.
    """
    with opened(home, publishes=True) as node, waiting("publishing…"):
        if node.settings.four_eyes:
            draft = node.approving.propose_withdrawal(listing, reason, actor(), note=text)
            tell_draft(draft, as_json=as_json)
            return
        published = node.publisher.withdraw(listing, reason, note=text)
    if as_json:
        from hashpact_node.cli.shapes import published_shape

        say_json(published_shape(published))
    elif published.rests_until is not None:
        say(f"withdrawn: {listing}")
    elif published.notice is None:
        say(f"withdrawn: {listing}, in the first {published.size:,} entries of {published.origin}")
    end_with(published)


def end_with(*published: Published) -> None:
    """End with the exit code for what is stored and not released yet, if anything is, and say why."""
    for until in dict.fromkeys(one.rests_until for one in published if one.rests_until is not None):
        note(f"it rests until {until}; `hashpact listing undo LISTING` takes it back until then")
    notices = dict.fromkeys(one.notice for one in published if one.notice is not None)
    for notice in notices:
        warn(notice, "do not publish it again; it is released as soon as that is mended")
    if notices:
        raise typer.Exit(ExitCode.BUSY)


def _show(published: list[PublishedFile]) -> None:
    from hashpact_node.cli.tables import show_table

    rows = [
        (
            one.file.name,
            one.published.id,
            "listed" if one.published.existing else "waits" if one.published.index is None else "published",
            "\n".join(signal.type for signal in one.file.signals),
        )
        for one in published
    ]
    show_table(("file", "listing", "state", "signals"), rows, keep=("listing",))
