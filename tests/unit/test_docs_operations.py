"""README, docs/operations.md and docs/api.md say what the program does.

Settings, commands, exit codes, jobs and alarms that exist are documented; command lines that the documents show are
understood; every path of the API is mentioned, and its examples have the fields of its answers.
"""

from __future__ import annotations

import ast
import importlib
import json
import re
import shlex
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from hashpact_keys.findings import KINDS
from hashpact_node.api import connections, deps, front, listings, match, token_door
from hashpact_node.api.scopes import SCOPES
from hashpact_node.cli.common import EXIT_MEANINGS
from hashpact_node.cli.main import app
from hashpact_node.services import (
    change_feed,
    doctor_kinds,
    hashing,
    import_rows,
    matching,
    token_checks,
    tokens,
)
from hashpact_node.services.blob_fetching import Trouble
from hashpact_node.services.metrics import METRICS
from hashpact_node.services.polling import PASSING, STALE
from hashpact_node.services.tokens import SCOPE_MEANINGS
from hashpact_node.settings import ENVIRONMENT_ONLY, SETTINGS, load_settings
from hashpact_protocol.card_changes import CardChange, ChangeCode
from hashpact_protocol.errors import ForkError, HashpactError
from hashpact_protocol.limits import LIMITS
from hashpact_protocol.signals import SIGNAL_TYPES

REPOSITORY = Path(__file__).parents[2]
NODE = REPOSITORY / "node" / "hashpact_node"
README = REPOSITORY / "README.md"
OPERATIONS = REPOSITORY / "docs" / "operations.md"
API = REPOSITORY / "docs" / "api.md"
DOCUMENTS = [*sorted(REPOSITORY.glob("*.md")), *sorted((REPOSITORY / "docs").rglob("*.md"))]
OPENAPI: dict[str, Any] = json.loads((REPOSITORY / "docs" / "openapi.json").read_bytes())

FENCE = re.compile(r"^```(?P<kind>[a-z]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`]+)`")
COMMAND = re.compile(r"(?:[A-Z_]+=\S+ )*(?:\S*/)?hashpact(?P<words>(?: .*)?)")
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#]*)(?:#([^)]+))?\)")
PLACEHOLDERS = {"NO": "1"}
"""What stands for something that is no text."""


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def blocks(path: Path, kind: str) -> list[str]:
    return [found["text"] for found in FENCE.finditer(text_of(path)) if found["kind"] == kind]


def without_blocks(path: Path) -> str:
    return FENCE.sub("", text_of(path))


def headings(path: Path) -> list[str]:
    return re.findall(r"^##+ (.+)$", without_blocks(path), re.MULTILINE)


def anchor(heading: str) -> str:
    return re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")


def rows(path: Path, header: str) -> list[list[str]]:
    """Give the cells of the one table whose first line begins with ``| {header} |``."""
    lines = text_of(path).splitlines()
    (start,) = [number for number, line in enumerate(lines) if line.startswith(f"| {header} |")]
    found = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        found.append([cell.strip() for cell in line.strip("|").split("|")])
    return found


def names(path: Path, header: str) -> list[str]:
    """Give what stands in backquotes in the first column of a table."""
    return [name for row in rows(path, header) for name in INLINE.findall(row[0])]


# Settings, exit codes, limits


def test_settings_are_those_of_the_program() -> None:
    assert rows(OPERATIONS, "in node.toml") == [
        [f"`{setting.name}`", f"`{setting.variable}`", setting.description, setting.default] for setting in SETTINGS
    ]
    assert rows(OPERATIONS, "variable") == [[f"`{name}`", what] for name, what in ENVIRONMENT_ONLY.items()]


def test_the_example_of_node_toml_is_understood(tmp_path: Path) -> None:
    (example,) = blocks(OPERATIONS, "toml")
    (tmp_path / "node.toml").write_text(example, encoding="utf-8")
    assert load_settings({}, tmp_path).member == "acme"


def test_exit_codes_are_those_of_the_program() -> None:
    expected = [[str(code.value), meaning] for code, meaning in EXIT_MEANINGS.items()]
    assert rows(OPERATIONS, "code | meaning") == expected


def test_limits_are_those_of_the_program() -> None:
    found = {what: limit.replace(",", "") for what, limit in rows(OPERATIONS, "what | limit")}
    mebibyte = 1024 * 1024
    signals = matching.QUERIES_MAX, match.MATCH_MAX_BYTES // mebibyte
    lines = listings.LINES_MAX, listings.BULK_MAX_BYTES // mebibyte, import_rows.LINE_MAX_BYTES // 1024
    expected = {
        "one entry (statement)": (LIMITS.entry_max_bytes // 1024, LIMITS.signals_max, LIMITS.labels_max),
        "signals in one `POST /v1/match`": signals,
        "file in one `POST /v1/match/file`": (match.FILE_MAX_BYTES // mebibyte,),
        "listings in one `POST /v1/listings` (NDJSON)": lines,
        "pictures": (hashing.PIXELS_MAX // 1_000_000,),
        "head of one request to the node": (
            connections.HEAD_MAX_BYTES // 1024,
            int(connections.HEAD_SECONDS),
            connections.FIELDS_MAX,
        ),
        "requests that wait for their answers on one connection": (connections.PIPELINED_MAX,),
        "what frames a chunked body, between two pieces of it": (connections.FRAME_MAX_BYTES // 1024,),
        "body of one request to the node": (
            front.BODY_MAX_BYTES // mebibyte,
            int(connections.BODY_SECONDS / 60),
            deps.SMALL_BODY_MAX_BYTES // mebibyte,
        ),
        "an answer that the client leaves unread": (int(connections.UNREAD_SECONDS / 60),),
        "open connections to one process": (
            connections.CONNECTIONS_MAX,
            503,
            connections.CLIENT_CONNECTIONS_MAX,
        ),
        "a page of the blocklist or of changes": (change_feed.PAGE_MAX,),
    }
    figures = {what: [int(one) for one in re.findall(r"\d+", found[what].replace(" 000", "000"))] for what in expected}
    assert {what: tuple(each[: len(expected[what])]) for what, each in figures.items()} == expected


# Metrics


def test_metrics_are_those_of_the_program() -> None:
    assert rows(OPERATIONS, "metric | labels") == [
        [f"`hashpact_{kind.name}`", ", ".join(f"`{label}`" for label in kind.labels) or "-", kind.what]
        for kind in METRICS
    ]
    named = set(re.findall(r"hashpact_[a-z_]+", text_of(OPERATIONS))) - {"hashpact_"}
    assert named <= {f"hashpact_{kind.name}" for kind in METRICS}


def test_findings_about_keys_are_those_of_the_program() -> None:
    assert rows(OPERATIONS, "finding | severity") == [
        [f"`{code}`", kind.severity.value, kind.what, kind.mend] for code, kind in KINDS.items()
    ]


def test_findings_of_the_doctor_are_those_of_the_program() -> None:
    assert rows(OPERATIONS, "finding | level") == [
        [f"`{code}`", kind.level.value, kind.what, kind.mend] for code, kind in doctor_kinds.KINDS.items()
    ]


# Jobs and alarms


def calls(path: Path, function: str) -> Iterator[ast.Call]:
    """Give the calls of a function or method of that name in a file."""
    for node in ast.walk(ast.parse(text_of(path))):
        if isinstance(node, ast.Call) and function in (getattr(node.func, "id", ""), getattr(node.func, "attr", "")):
            yield node


def test_jobs_are_those_of_the_schedule() -> None:
    path = NODE / "jobs" / "schedule.py"
    named = {call.args[0].value for call in calls(path, "_add") if isinstance(call.args[0], ast.Constant)}
    assert named
    assert {*named, "pull/MEMBER"} == set(names(OPERATIONS, "job"))
    assert 'f"pull/{peer.member}"' in text_of(path)


def codes_of(argument: ast.expr, module: str) -> set[str]:
    """Give the codes that an argument of ``raise_alarm`` or ``clear_alarm`` may be."""
    if isinstance(argument, ast.Name):
        value = getattr(importlib.import_module(f"hashpact_node.services.{module}"), argument.id, None)
        return {value} if isinstance(value, str) else set()
    if isinstance(argument, ast.Tuple):
        return {code for part in argument.elts for code in codes_of(part, module)}
    return {
        "change.code.value": {code.value for code in ChangeCode if CardChange(code, "", "").alarm},
        "trouble.value": {trouble.value for trouble in Trouble},
        "error.code": {*PASSING, ForkError.code},
    }[ast.unparse(argument)]


def alarm_codes(*functions: str) -> set[str]:
    found: set[str] = set()
    for path in sorted((NODE / "services").glob("*.py")):
        for function in functions:
            for call in calls(path, function):
                found |= codes_of(call.args[1], path.stem)
    return found


def all_errors(kind: type[HashpactError] = HashpactError) -> Iterator[str]:
    yield kind.code
    for child in kind.__subclasses__():
        yield from all_errors(child)


def test_every_alarm_is_documented() -> None:
    raised = alarm_codes("raise_alarm")
    documented = names(OPERATIONS, "code | what happened")
    assert {"log-forked", "log-stale", "trust-repository", "log-dropped"} <= raised
    assert not raised - set(documented)
    assert not set(documented) - raised - set(all_errors())
    assert len(documented) == len(set(documented))


def test_alarms_that_only_people_clear_are_said_to_be_such() -> None:
    by_hand = {
        code
        for row in rows(OPERATIONS, "code | what happened")
        for code in INLINE.findall(row[0])
        if row[2].startswith("*By hand")
    }
    over_by_itself = alarm_codes("clear_alarm", "clear_alarms") | {*PASSING, STALE}
    assert by_hand == alarm_codes("raise_alarm") - over_by_itself


# Commands


def leaves(group: Any, path: str = "hashpact") -> Iterator[str]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from leaves(command, f"{path} {name}")
        else:
            yield f"{path} {name}"


def test_every_command_is_documented() -> None:
    documented = names(OPERATIONS, "command | what for")
    assert sorted(documented) == sorted(leaves(typer.main.get_command(app)))


def shown_commands() -> Iterator[tuple[str, str, bool]]:
    """Give (document, words after ``hashpact``, whether they stand whole in a block) of all command lines."""
    for path in DOCUMENTS:
        name = str(path.relative_to(REPOSITORY))
        lines = "\n".join(blocks(path, "sh")).replace("\\\n", " ").splitlines()
        inline = [" ".join(text.split()) for text in INLINE.findall(without_blocks(path))]
        for texts, whole in ((lines, True), (inline, False)):
            for text in texts:
                found = COMMAND.fullmatch(text.strip())
                if found is not None:
                    yield name, found["words"].strip(), whole


def understand(words: list[str], *, whole: bool) -> None:
    """Parse a command line as the program does, without running it; what is not whole may lack arguments."""
    command: Any = typer.main.get_command(app)
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        assert words[0] in command.commands, f"there is no command {words[0]}"
        command = command.commands[words.pop(0)]
    try:
        command.make_context("hashpact", [PLACEHOLDERS.get(word, word) for word in words])
    except typer.Exit:
        assert words in (["--help"], ["--version"])
    except typer.TyperException as error:
        if whole or "missing" not in str(error).lower():
            raise AssertionError(str(error)) from error


SHOWN = sorted(set(shown_commands()))


@pytest.mark.parametrize(("document", "words", "whole"), SHOWN, ids=[f"{name}: {words}" for name, words, _ in SHOWN])
def test_command_lines_are_understood(document: str, words: str, whole: bool) -> None:  # noqa: FBT001 - a parameter of the test
    assert document
    understand(shlex.split(words, comments=True), whole=whole)


def test_command_lines_are_found() -> None:
    found = {(name, words.split()[0], whole) for name, words, whole in SHOWN if words}
    assert {("README.md", "match", True), ("docs/operations.md", "init", True), ("SECURITY.md", "peer", False)} <= found
    with pytest.raises(AssertionError):
        understand(["peer", "ad"], whole=False)
    with pytest.raises(AssertionError):
        understand(["peer", "show", "--colour"], whole=False)
    with pytest.raises(AssertionError):
        understand(["peer", "show"], whole=True)


def test_targets_of_make_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", text_of(REPOSITORY / "Makefile"), re.MULTILINE))
    shown = {
        words.split()[1]
        for path in (README, OPERATIONS, API)
        for words in [*INLINE.findall(without_blocks(path)), *"\n".join(blocks(path, "sh")).splitlines()]
        if words.startswith("make ")
    }
    assert {"demo", "run", "test", "bench"} <= shown <= targets


# The API


def test_every_path_of_the_api_is_mentioned() -> None:
    text = text_of(API)
    for path, methods in OPENAPI["paths"].items():
        asked = re.escape(f"$NODE{path}").replace(re.escape("{listing}"), "[0-9a-f-]{36}")
        for method in methods:
            # A path is named with its method, or an example asks it.
            assert f"`{method.upper()} {path}`" in text or re.search(rf"{asked}(?![\w/])", text), f"{method} {path}"


def test_paths_that_are_mentioned_exist() -> None:
    named = re.findall(r"`(GET|POST|DELETE|PUT) (/[^`?]*)`", text_of(API) + text_of(OPERATIONS))
    assert named
    for method, path in named:
        assert method.lower() in OPENAPI["paths"].get(path, {}), f"{method} {path}"


def test_examples_have_the_fields_of_the_api() -> None:
    schemas = OPENAPI["components"]["schemas"]
    examples = [json.loads(block) for block in blocks(API, "json")]
    assert len(examples) > 4
    for example in examples:
        fit = [
            name
            for name, schema in schemas.items()
            if set(schema.get("required", ())) <= example.keys() <= schema.get("properties", {}).keys()
        ]
        assert fit, f"no answer has the fields {sorted(example)}"


def test_the_order_of_the_blocklist_is_that_of_the_codes() -> None:
    types = ", ".join(f"`{known.name}`" for known in sorted(SIGNAL_TYPES.values(), key=lambda known: known.code))
    assert f"in order of type ({types}, then all others by name)" in " ".join(text_of(API).split())


def test_the_table_of_scopes_is_that_of_the_program() -> None:
    operations = {
        operation["operationId"]: f"`{method.upper()} {path}`"
        for path, methods in OPENAPI["paths"].items()
        for method, operation in methods.items()
    }
    expected = [[operations[name], need.value] for name, need in SCOPES.items() if name in operations]
    assert rows(API, "route") == expected
    assert rows(API, "scope") == [[f"`{scope}`", meaning] for scope, meaning in SCOPE_MEANINGS.items()]


def test_what_tokens_are_bounded_by_is_said() -> None:
    text = " ".join(text_of(API).split()) + " ".join(text_of(OPERATIONS).split())
    for words in (
        f"at most {token_door.BATCH_MAX} signals a request, {tokens.MATCH_PER_MINUTE} requests a minute",
        f"more than {token_door.FAILURES_BURST:.0f} requests without a valid token came from one address",
        f"within {token_checks.FRESH_SECONDS:.0f} seconds",
        f"most {tokens.TOKENS_MAX:,} live at a time",
    ):
        assert words in text
    assert token_checks.BURST_SECONDS == 10  # "ten seconds' worth"
    assert "ten seconds' worth" in text


# The documents themselves


@pytest.mark.parametrize("path", [README, OPERATIONS, API], ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    for target, fragment in LINK.findall(without_blocks(path)):
        found = (path.parent / target).resolve() if target else path
        assert found.exists(), target
        if fragment:
            assert fragment in {anchor(heading) for heading in headings(found)}, f"{target}#{fragment}"


def test_sections_that_the_sources_name_exist() -> None:
    there = {name: headings(REPOSITORY / "docs" / f"{name}.md") for name in ("operations", "api")}
    for source in sorted(NODE.rglob("*.py")):
        for name, heading in re.findall(r"docs/(operations|api)\.md, ([A-Z][a-z ]*[a-z])", text_of(source)):
            assert heading in there[name], f"{source.name}: {heading}"


def test_the_readme_can_be_read() -> None:
    text = text_of(README)
    assert 100 < len(text.splitlines()) <= 180
    assert not set(re.findall(r"[^\x00-\x7f]", text)) - set("…─│┌┐└┘┬┴├┤▼►·") - set(string.printable)
    assert "<!-- bench: begin -->\n" in text_of(OPERATIONS)
    assert "<!-- bench: end -->\n" in text_of(OPERATIONS)
