"""The suite's side of the command protocol, against small entrypoints that do or break what they promise."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from entrypoint_server import entrypoint_server
from hashpact_conformance.commands import Entrypoint, EntrypointError
from hashpact_conformance.dump import Dump
from nodes import free_port


def scripted(folder: Path, body: str) -> Entrypoint:
    script = folder / "entrypoint.py"
    script.write_text(f"import sys, json\narguments = sys.argv[1:]\n{body}\n")
    return Entrypoint.parse(f"{shlex.quote(sys.executable)} {shlex.quote(str(script))}", folder / "home")


def test_it_tells_the_command_the_home_and_the_options(tmp_path: Path) -> None:
    entrypoint = scripted(tmp_path, "print(json.dumps(arguments))")
    assert entrypoint.must("pull", "--x", "1") == ["pull", "--home", str(tmp_path / "home"), "--x", "1"]


def test_exit_1_is_an_answer_and_exit_3_is_not_supported(tmp_path: Path) -> None:
    assert scripted(tmp_path, "sys.exit(1)").pull().refused
    with pytest.raises(pytest.skip.Exception, match="does not support `erase`"):
        scripted(tmp_path, "sys.exit(3)").call("erase")


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("sys.exit(2)", "ended with 2"),
        ("sys.exit(70)", "ended with 70"),
        ("print('hello')", "something else than JSON"),
        ("print('[]')", "has no `logs`"),
        ('print(json.dumps({"logs": [], "claims": [], "alarms": [], "digest": 3}))', "has no `digest`"),
        ("sys.exit(1)", "had to succeed"),
    ],
)
def test_a_broken_protocol_fails_the_case(tmp_path: Path, body: str, why: str) -> None:
    with pytest.raises(EntrypointError, match=why):
        scripted(tmp_path, body).export()


def test_one_that_hangs_or_is_not_there_fails_the_case(tmp_path: Path) -> None:
    slow = scripted(tmp_path, "import time; time.sleep(600)")
    slow.timeout_seconds = 0.5
    with pytest.raises(EntrypointError, match="did not end"):
        slow.pull()
    with pytest.raises(EntrypointError, match="cannot be run"):
        Entrypoint.parse("/nowhere/at-all", tmp_path).pull()


def test_it_keeps_what_was_said(tmp_path: Path) -> None:
    entrypoint = scripted(tmp_path, "print(1)")
    entrypoint.dump = Dump.of_case(tmp_path / "dump", "some-case")
    entrypoint.pull()
    kept = (tmp_path / "dump" / "some-case" / "0001-pull.txt").read_text()
    assert "pull --home" in kept
    assert "= 0\n1\n" in kept


def test_our_own_entrypoint_keeps_to_the_protocol(tmp_path: Path) -> None:
    with entrypoint_server() as command:
        acme, beta = (Entrypoint.parse(command, tmp_path / member) for member in ("acme", "beta"))
        url, own = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        own_root = acme.init("acme", own)
        root = beta.init("beta", url)
        assert acme.follow("beta", url, root).refused  # nobody answers there yet
        beta.must("start")
        try:
            assert not acme.follow("beta", url, root).refused
            acme.must("start")
            assert not beta.follow("acme", own, own_root).refused  # which answers those whom it knows
            listed = beta.must("publish", "--type", "md5", "--value", "0" * 32)["listing"]
            assert not acme.pull().refused
            assert acme.export().signals("beta") == {("md5", "0" * 32)}
            beta.must("restart")
            beta.must("withdraw", "--listing", listed)
            assert not acme.pull().refused
            assert acme.export().signals("beta") == set()
            told = [one.must("digest", "--members", "beta")["digest"] for one in (acme, beta)]
            assert told[0] == told[1]
        finally:
            acme.must("stop")
            beta.must("stop")
        held = acme.export()
        assert acme.pull().refused
        assert acme.export().alarmed("beta")
        assert acme.export().logs == held.logs
        with pytest.raises(pytest.skip.Exception):
            acme.call("frobnicate")
