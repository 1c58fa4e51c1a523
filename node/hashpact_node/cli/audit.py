"""``hashpact audit …``: who did what, and whether the log of it is as it was written."""

# ruff: noqa: PLC0415  heavy parts are imported where they are needed, so that help and mistakes are quick
from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from hashpact_node.cli.common import DEFAULT_HOME, AsJson, ExitCode, Home, opened
from hashpact_node.cli.output import note, say, say_json, waiting
from hashpact_node.cli.program import Commands, examples
from hashpact_protocol.errors import RequestError

if TYPE_CHECKING:
    from hashpact_node.services.audit_chain import Head, Verified

app = typer.Typer(cls=Commands, rich_markup_mode=None, help="Who did what, when, from where, with what result.")


@app.command(
    epilog=examples("hashpact audit show", "hashpact audit show --since 2026-11-24 --actor alice --action 'peer add'")
)
def show(
    *,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Nothing of before: 2026-11-24, or 2026-11-24T04:00:00Z.")
    ] = None,
    actor: Annotated[
        str | None, typer.Option(metavar="WHO", help="A name or an address; or a kind: token, member, command, job.")
    ] = None,
    action: Annotated[
        str | None, typer.Option(metavar="WHAT", help="As it stands in the log, or its first word, such as peer.")
    ] = None,
    limit: Annotated[int, typer.Option(metavar="NUMBER", min=1, help="How many at most; the newest ones.")] = 50,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Show the newest entries, in order."""
    begin = None if since is None else _moment(since)
    with opened(home) as node:
        found = node.audit.newest(limit=limit, since=begin, actor=actor, action=action)
    if as_json:
        say_json({"entries": found})
    elif not found:
        say("no entries")
    else:
        from hashpact_node.cli.tables import show_table

        show_table(("no", "when", "who", "what"), map(_row, found), right=("no",), keep=("when",))


@app.command(
    epilog=examples(
        "hashpact audit verify", "hashpact audit verify --head 120:5f2c…", "hashpact audit verify --file audit.ndjson"
    )
)
def verify(
    head: Annotated[
        list[str] | None,
        typer.Option(metavar="SIZE:HEX", help="A head that was written down earlier; may be repeated."),
    ] = None,
    file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Verify what `audit export` wrote; needs no node.")
    ] = None,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Read the whole log, and say whether an entry was altered, removed or reordered.

    Write its head down elsewhere: with an earlier head it is proven that the log has only grown since. Exit code 1:
    something is not as it was written.
    """
    from hashpact_node.services.audit_chain import Head

    earlier = [Head.parse(one) for one in head or ()]
    verified = _verify(home, file, earlier)
    if as_json:
        findings = [{"entry": one.entry, "what": one.what} for one in verified.findings]
        say_json({"sound": verified.sound, "head": str(verified.head), "findings": findings})
    else:
        for one in verified.findings:
            say(one.what)
        if verified.sound:
            grown = f", and has only grown since {', '.join(map(str, sorted(earlier)))}" if earlier else ""
            say(f"the audit log is as it was written: {verified.head.size:,} entries{grown}")
            say(f"head: {verified.head}")
    if not verified.sound:
        raise typer.Exit(ExitCode.FAILED)


@app.command(epilog=examples("hashpact audit export audit.ndjson", "hashpact audit verify --file audit.ndjson"))
def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where it is written, one entry a line, then the head.")],
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Write the whole log into a file that only its owner can read, and that is verified without a node."""
    with opened(home) as node, _output(file) as output:
        head = node.audit.export(output, node.member)
    if as_json:
        say_json({"file": file, "head": str(head)})
    else:
        note(f"written: {file}; to verify it: hashpact audit verify --file {file}")
        say(f"head: {head}")


def _verify(home: Path, file: Path | None, earlier: list[Head]) -> Verified:
    if file is None:
        with opened(home) as node, waiting("reading the audit log…"):
            return node.audit.verify(earlier)
    from hashpact_node.services.audit import verify_export

    try:
        with file.open("rb") as lines:
            return verify_export(_lines(lines), earlier, where=str(file))
    except OSError as error:
        raise RequestError(
            f"the file cannot be read: {error.strerror}", where=str(file), mend="check its name and its permissions"
        ) from error


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Yield lines of a file; of one that is too long for an entry only as much as shows that."""
    from hashpact_node.store.audit_form import ENTRY_MAX_BYTES

    while line := file.readline(ENTRY_MAX_BYTES + 2):
        yield line


@contextmanager
def _output(path: Path) -> Iterator[BinaryIO]:
    """Yield a file that appears, readable by its owner alone, when the body has ended well. OSError passes."""
    descriptor, draft = tempfile.mkstemp(dir=path.absolute().parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
        Path(draft).replace(path)
    finally:
        Path(draft).unlink(missing_ok=True)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise RequestError(
            "this is no time", where=f"--since {text[:60]}", mend="write it as 2026-11-24 or 2026-11-24T04:00:00Z"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _row(entry: dict[str, Any]) -> tuple[object, ...]:
    who = entry["actor"]
    name = f"{who['kind']} {who['name']}"
    what = " ".join(part for part in (entry["action"], entry["subject"]) if part)
    detail = ", ".join(f"{name}: {_text(value)}" for name, value in entry["detail"].items())
    result = entry["result"] if entry["result"] == "ok" else f"NOT DONE: {entry['result']}"
    lines = "\n".join(part for part in (what, f"{result}; {detail}" if detail else result) if part)
    return entry["n"], entry["time"], f"{name}\n{who['address']}" if who["address"] else name, lines


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
