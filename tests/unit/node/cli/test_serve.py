"""``hashpact serve``, ``hashpact run`` and ``hashpact openapi``."""

from __future__ import annotations

import json
import signal
import socket
from pathlib import Path

import pytest

from commands import Commands
from hashpact_node.cli import serve
from hashpact_node.cli.log_output import log_to_stderr
from hashpact_node.settings import Settings
from hashpact_node.store.locks import HomeLock
from nodes import PASSPHRASE, STOP_SECONDS, free_port, make_node


def test_openapi_needs_no_home(tmp_path: Path) -> None:
    document = json.loads(Commands(tmp_path)("openapi").stdout)
    assert "/v1/blocklist/changes" in document["paths"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_cleanly(tmp_path: Path, number: int) -> None:
    node = make_node(tmp_path, "acme")
    node.start()
    assert node.process is not None
    try:
        assert node.get("/healthz").status_code == 200
        node.process.send_signal(number)
        assert node.process.wait(STOP_SECONDS) == 0
    finally:
        node.kill()
    said = (node.home / "serve.log").read_text()
    assert "acme listens on http://127.0.0.1:" in said
    assert "acme has stopped" in said
    assert "Traceback" not in said
    assert PASSPHRASE not in said
    assert "GET /healthz" not in said


def test_a_port_in_use(acme: Commands) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        said = acme.complaint("serve", "--port", str(port), code=4).splitlines()
    assert said[:2] == ["error: the port is in use", f"where: 127.0.0.1:{port}"]
    assert "--port" in said[2]


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (("--port", "99999"), "whole number"),
        (("--host", "127.1.2.300"), ""),
    ],
)
def test_places_where_it_must_not_or_cannot_listen(acme: Commands, options: tuple[str, ...], what: str) -> None:
    assert what in acme.complaint("serve", *options, code=2)


def test_a_wrong_passphrase_is_told_at_once(acme: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HASHPACT_PASSPHRASE", "another one")
    assert "release.key" in acme.complaint("serve", "--port", str(free_port()), code=5)


def test_a_home_that_is_being_set_up(acme: Commands) -> None:
    with HomeLock(acme.home).exclusive():
        said = acme.complaint("serve", "--port", str(free_port()), code=4)
    assert "being set up" in said


def test_no_node_in_this_folder(tmp_path: Path) -> None:
    assert "no node" in Commands(tmp_path / "none").complaint("serve", code=2)


@pytest.fixture
def not_served(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """What would be served."""
    found: list[Settings] = []
    monkeypatch.setattr(serve, "run_node", found.append)
    return found


@pytest.mark.usefixtures("quick_keys")
def test_run_makes_a_node_and_a_passphrase(
    tmp_path: Path, not_served: list[Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HASHPACT_PASSPHRASE")
    node = Commands(tmp_path / "var" / "node")
    said = node("run")
    file = node.home / "passphrase"
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_text().strip() not in said.output
    assert "NO PASSPHRASE WAS GIVEN" in said.stderr
    assert "TRIAL MODE" in said.stderr
    assert not_served[0].member == "trial"
    assert not_served[0].url == "http://127.0.0.1:8470"
    picture = tmp_path / "file"
    picture.write_bytes(b"some bytes")
    assert node.json("publish", str(picture))["listings"][0]["index"] == 0
    again = node("run")
    assert "TRIAL" not in again.stderr
    assert len(not_served) == 2


@pytest.mark.usefixtures("quick_keys")
def test_run_goes_by_the_settings(tmp_path: Path, not_served: list[Settings], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HASHPACT_MEMBER", "acme")
    monkeypatch.setenv("HASHPACT_PORT", "9124")
    node = Commands(tmp_path / "home")
    node("run")
    assert not (node.home / "passphrase").exists()
    assert (not_served[0].member, not_served[0].url) == ("acme", "http://127.0.0.1:9124")


def test_run_that_fails_leaves_no_passphrase(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HASHPACT_PASSPHRASE")
    monkeypatch.setenv("HASHPACT_DATABASE_URL", "postgresql://127.0.0.1:1/none")
    node = Commands(tmp_path / "home")
    node("run", code=6)
    assert not (node.home / "passphrase").exists()


@pytest.mark.parametrize("form", ["json", "console", "auto"])
def test_logs_go_to_standard_error(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    import logging  # noqa: PLC0415  only here

    import structlog  # noqa: PLC0415

    log_to_stderr(form)
    structlog.get_logger("hashpact_node.x").info("pulled", member="beta")
    logging.getLogger("uvicorn.error").info("Started")
    logging.getLogger("httpx").info("every request")
    logging.getLogger("apscheduler.scheduler").warning("skipped: maximum number of running instances reached")
    said = capsys.readouterr()
    assert not said.out
    lines = said.err.splitlines()
    assert len(lines) == 2
    if form != "console":
        assert json.loads(lines[0])["member"] == "beta"
    else:
        assert "member=beta" in lines[0]


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("form", ["json", "console", "auto"])
def test_logs_hold_no_variables(
    form: str,
    terminal: bool,  # noqa: FBT001  a parameter of the test
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import sys  # noqa: PLC0415  only here

    import structlog  # noqa: PLC0415

    def fails(passphrase: str) -> None:
        raise ValueError(f"a passphrase of {len(passphrase)} characters")

    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    log_to_stderr(form)
    try:
        fails("correct" + chr(45) + "horse")  # a traceback shows the line as it stands here
    except ValueError:
        structlog.get_logger("hashpact_node.x").exception("the key does not open")
    said = capsys.readouterr().err
    assert "ValueError: a passphrase of 13 characters" in said
    assert "correct-horse" not in said


@pytest.mark.parametrize(("option", "value"), [("--port", "70000"), ("--host", "acme.example")])
def test_a_wrong_option_is_named_as_it_was_given(
    tmp_path: Path, option: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = Commands(tmp_path / "home")
    node("init", "--member", "acme", "--url", "http://127.0.0.1:9125")
    assert option in node("serve", option, value, code=2).stderr.split("where", 1)[1].splitlines()[0]
    monkeypatch.setenv("HASHPACT_PORT", "x")
    assert "HASHPACT_PORT" in node("serve", code=2).stderr
