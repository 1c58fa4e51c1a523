"""``hashpact taxonomy …``: the words for what is listed, and which of those in a file it does not know."""

# ruff: noqa: PLC0415  heavy parts are imported where they are needed, so that help and mistakes are quick
from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from hashpact_node.cli.common import AsJson
from hashpact_node.cli.output import note, say, say_json
from hashpact_node.cli.program import Commands, examples
from hashpact_protocol.errors import RequestError

app = typer.Typer(cls=Commands, rich_markup_mode=None, help="Words for what is listed, and what they mean.")


@app.command("list", epilog=examples("hashpact taxonomy list", "hashpact taxonomy list --facet behaviour --json"))
def list_(
    facet: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only one of: content, producer, behaviour, incident.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the labels with what each means, and whether it is active, deprecated or proposed."""
    from hashpact_node.cli.tables import show_table
    from hashpact_protocol.taxonomy import taxonomy

    known = taxonomy()
    if facet is not None and facet not in known.facets:
        raise RequestError(f"there is no facet {facet!r}", where="--facet", mend=f"one of: {', '.join(known.facets)}")
    facets = {name: one for name, one in known.facets.items() if facet in (None, name)}
    if as_json:
        shown = {
            name: [
                {"label": label.label, "status": label.status.value, "definition": label.definition}
                | ({"instead": list(label.instead)} if label.instead else {})
                for label in one.labels
            ]
            for name, one in facets.items()
        }
        say_json({"version": known.version, "facets": shown})
        return
    for name, one in facets.items():
        say(f"{name}: {one.about}")
        show_table(("label", "status", "means"), [(lb.label, lb.status.value, lb.definition) for lb in one.labels])


@app.command(
    "check", epilog=examples("hashpact taxonomy check behaviour:propaganda", "hashpact taxonomy check listings.ndjson")
)
def check(
    words: Annotated[list[str], typer.Argument(metavar="LABEL|FILE", help="Labels, or files of statements (NDJSON).")],
    as_json: AsJson = False,
) -> None:
    """Say which labels the taxonomy does not know, or knows as deprecated or proposed.

    Of a file, content, labels and incident types of its statements are looked at. No label is refused anywhere, and the
    exit code is 0 whatever is found.
    """
    from hashpact_node.cli.tables import show_table
    from hashpact_protocol.taxonomy import Standing, check_labels, taxonomy

    counts: Counter[str] = Counter()
    for word in words:
        path = Path(word)
        if path.is_file():
            counts.update(_words_of(path))
        else:
            counts[word] += 1
    found = check_labels(counts, taxonomy())
    odd = [one for one in found if one.standing is not Standing.KNOWN]
    if as_json:
        shown = [
            {"label": one.label, "standing": one.standing.value, "times": counts[one.label], "hint": list(one.hint)}
            for one in found
        ]
        say_json({"labels": shown})
        return
    if odd:
        rows = [(one.label, one.standing.value, counts[one.label], ", ".join(one.hint)) for one in odd]
        show_table(("label", "standing", "times", "instead"), rows, right=("times",))
    note(f"{len(found)} labels, {len(odd)} of them unknown, deprecated or proposed")


def _words_of(path: Path) -> list[str]:
    import msgspec

    from hashpact_node.cli.files import read_input

    found: list[str] = []
    for number, line in enumerate(read_input(path).splitlines(), 1):
        if not line.strip():
            continue
        try:
            statement: Any = msgspec.json.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise RequestError("this line is no JSON", where=f"{path}, line {number}", mend="give NDJSON") from None
        if not isinstance(statement, dict):
            raise RequestError("this line is no object", where=f"{path}, line {number}", mend="give statements")
        labels = statement.get("labels")
        one_word = "type" if statement.get("kind") == "incident" else "content"
        candidates = [statement.get(one_word), *(labels if isinstance(labels, list) else [])]
        found += [word for word in candidates if isinstance(word, str)]
    return found
