"""How errors leave a command."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable

import pytest
import typer

from hashpact_node.cli.common import ExitCode
from hashpact_node.cli.program import guarded
from hashpact_protocol.errors import NotFoundError


def raiser(error: BaseException) -> Callable[[], object]:
    def work() -> object:
        raise error

    return work


def test_what_went_well() -> None:
    assert guarded(lambda: None) == ExitCode.OK
    assert guarded(lambda: 4) == ExitCode.BUSY


def test_an_error_is_told_in_three_lines(capsys: pytest.CaptureFixture[str]) -> None:
    error = NotFoundError("no such thing:\nline 2", where="here\x1b[31m", mend="look there")
    assert guarded(raiser(error)) == ExitCode.NOT_FOUND
    assert capsys.readouterr().err.splitlines() == [
        "error: no such thing:",
        "  line 2",
        "where: here\\x1b[31m",
        "mend:  look there",
    ]


def test_an_error_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(raiser(NotFoundError("no such thing")), as_json=True) == ExitCode.NOT_FOUND
    assert json.loads(capsys.readouterr().err) == {"error": {"code": "not-found", "what": "no such thing", "exit": 3}}


@pytest.mark.parametrize("work", [raiser(typer.Abort()), lambda: 130])
def test_an_interruption(work: Callable[[], object], capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(work) == ExitCode.INTERRUPTED
    assert capsys.readouterr().err.startswith("interrupted: nothing is half done")


@pytest.mark.parametrize(
    ("number", "code", "what"),
    [
        (errno.ENOSPC, ExitCode.STORAGE, "the disk is full"),
        (errno.EACCES, ExitCode.USAGE, "a file cannot be used: Permission denied"),
        (errno.EIO, ExitCode.STORAGE, "the system could not do it: Input/output error"),
    ],
)
def test_errors_of_the_system(number: int, code: int, what: str, capsys: pytest.CaptureFixture[str]) -> None:
    import os  # noqa: PLC0415  for its words

    assert guarded(raiser(OSError(number, os.strerror(number), "file"))) == code
    assert capsys.readouterr().err.splitlines()[:2] == [f"error: {what}", "where: file"]


def test_the_unforeseen_is_no_traceback_unless_it_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(raiser(KeyError("x"))) == ExitCode.FAILED
    said = capsys.readouterr().err
    assert said.startswith("error: something unforeseen happened: KeyError: 'x'\nwhere: test_program.py, line ")
    assert "--debug" in said
    assert "Traceback" not in said
    assert guarded(raiser(KeyError("x")), debug=True) == ExitCode.FAILED
    assert "Traceback" in capsys.readouterr().err
