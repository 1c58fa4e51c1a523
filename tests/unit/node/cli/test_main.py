"""The frame: help, versions, mistakes, and what help must not load."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from hashpact_node.cli.common import EXIT_MEANINGS, ExitCode
from hashpact_node.cli.main import PANELS, app

# The last is as the public suite tuf-conformance wants it: options before the command, and an exit code alone.
WITHOUT_JSON = {("run",), ("serve",), ("openapi",), ("demo",), ("tuf-client",), ("policy", "schema")}
HEAVY = {"sqlalchemy", "tuf", "cryptography", "fastapi", "uvicorn", "numpy", "PIL", "httpx", "rich.table", "msgspec"}


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


ALL = list(commands(typer.main.get_command(app)))


def test_help_names_every_command_in_order_and_every_exit_code() -> None:
    text = CliRunner().invoke(app, ["--help"]).stdout
    assert CliRunner().invoke(app, []).stdout == text
    names = [name for name in PANELS if any(path[0] == name for path, _ in ALL)]
    places = [text.index(f"\n  {name} ") for name in names]
    assert places == sorted(places)
    assert {path[0] for path, _ in ALL} <= set(PANELS)
    for code, meaning in EXIT_MEANINGS.items():
        assert f"{code.value}  {meaning}" in text
    assert set(EXIT_MEANINGS) == set(ExitCode)
    assert all(len(line) <= 80 for line in text.splitlines())


@pytest.mark.parametrize(("path", "command"), ALL, ids=[" ".join(path) for path, _ in ALL])
def test_every_command_has_help_an_example_and_json(path: tuple[str, ...], command: Any) -> None:
    text = CliRunner().invoke(app, [*path, "--help"]).stdout
    assert command.help
    example = " ".join(text.split("Example")[1].split())
    assert re.search(f"hashpact {r'( --.*)? '.join(path)}", example)
    assert ("--json" in text) == (path not in WITHOUT_JSON and path[:1] not in WITHOUT_JSON)
    for parameter in command.params:
        assert getattr(parameter, "help", None), parameter.name


@pytest.mark.parametrize("path", sorted({path[:1] for path, _ in ALL if len(path) > 1}))
def test_a_group_alone_says_that_a_command_is_missing(path: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, path)
    assert result.exit_code == ExitCode.USAGE
    assert result.stderr.splitlines()[0] == "error: missing command"


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["publsh"], "no such command 'publsh'. Did you mean 'publish'?"),
        (["publish"], "missing argument 'FILE"),
        (["publish", "--labels", "x", "f"], "no such option"),
        (["alarms", "clear", "x"], "invalid value"),
    ],
)
def test_mistakes_are_told_in_three_lines(arguments: list[str], what: str) -> None:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == ExitCode.USAGE
    first, where, mend = result.stderr.splitlines()
    assert first.startswith(f"error: {what}")
    assert where.startswith("where: hashpact")
    assert "--help" in mend
    assert not result.stdout


def test_version() -> None:
    assert CliRunner().invoke(app, ["--version"]).stdout.startswith("hashpact 0.")


def test_help_loads_nothing_heavy() -> None:
    code = "import sys, hashpact_node.cli.main; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not HEAVY & set(loaded)
