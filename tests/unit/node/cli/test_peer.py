"""``hashpact peer``."""

from __future__ import annotations

import pytest

from commands import Commands
from hashpact_node.services import quarantined
from hashpact_node.services.quarantined import MalformedPart
from nodes import TestNode, free_port
from terminals import Terminal


@pytest.fixture
def follower(beta: Commands, served: TestNode) -> Commands:
    beta("peer", "add", "gamma", served.url, "--fingerprint", served.fingerprint, "--yes")
    return beta


def test_a_peer_is_added_by_fingerprint_and_pulled(
    beta: Commands, served: TestNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "no peers yet" in beta("peer", "list").stdout
    added = beta.json("peer", "add", "gamma", served.url, "--fingerprint", served.fingerprint, "--yes")
    assert (added["member"], added["state"], added["fingerprint"]) == ("gamma", "active", served.fingerprint)
    pulled = beta.json("peer", "pull", "gamma")
    assert pulled["ok"]
    assert pulled["logs"][0]["after"] >= 1
    assert "grown" not in beta("peer", "pull", "gamma").stdout
    peer = beta.json("peer", "show", "gamma")
    assert peer["logs"][0]["live"] >= 1
    assert peer["last_good_at"]
    for text in (beta("peer", "list").stdout, beta("peer", "show", "gamma").stdout):
        assert "gamma" in text
        assert all(len(one) <= 100 for one in text.splitlines())
    assert beta.json("peer", "list")["peers"][0]["member"] == "gamma"
    assert beta.json("status")["peers"][0]["state"] == "active"
    assert "1 active" in beta("status").stdout
    assert "nothing that gamma published is malformed" in beta("peer", "show", "gamma", "--malformed").stdout
    found = [MalformedPart("gamma.example/logs/listings-1", 7, 0, "statement-malformed", "this is no JSON")]
    monkeypatch.setattr(quarantined, "list_malformed", lambda *_arguments, **_options: found)
    assert beta.json("peer", "show", "gamma", "--malformed")["malformed"][0]["position"] == 7
    shown = beta("peer", "show", "gamma", "--malformed", "--limit", "1")
    assert "statement-malformed" in shown.stdout
    assert "raise --limit" in shown.stderr


def test_a_peer_is_added_by_its_root(beta: Commands, served: TestNode) -> None:
    root = beta.home / "gamma-root.json"
    root.write_bytes(served.get("/trust/metadata/1.root.json").content)
    said = beta("peer", "add", "gamma", served.url, "--root", str(root), "--yes")
    assert served.fingerprint in said.stdout
    assert "peer pull gamma" in said.stderr


def test_without_a_pin_it_refuses_and_explains(beta: Commands, served: TestNode) -> None:
    said = beta("peer", "add", "gamma", served.url, "--yes", code=2).stderr
    assert "another channel" in said
    assert "--fingerprint" in said


@pytest.mark.parametrize(
    ("member", "options", "code", "what"),
    [
        ("gamma", ("--fingerprint", f"1:sha256:{'a' * 64}"), 1, "was pinned"),
        ("gamma", ("--fingerprint", "nonsense"), 2, "no fingerprint"),
        ("gamma", ("--root", "OTHER"), 1, "not signed"),
        ("gamma", ("--root", "FILE"), 1, ""),
        ("gamma", ("--root", "missing.json"), 2, "cannot be read"),
        ("Gamma", ("--fingerprint", "RIGHT"), 2, "Gamma"),
        ("delta", ("--fingerprint", "RIGHT"), 1, "delta"),
    ],
    ids=["fingerprint", "no-fingerprint", "other-root", "no-root", "no-file", "member-name", "member-differs"],
)
def test_wrong_pins_and_names_add_nothing(  # noqa: PLR0917  one row of the table above
    beta: Commands, acme: Commands, served: TestNode, member: str, options: tuple[str, ...], code: int, what: str
) -> None:
    other = beta.home / "other-root.json"
    from hashpact_node.store.database import open_database  # noqa: PLC0415  only here
    from hashpact_node.store.peers import find_own  # noqa: PLC0415

    database = open_database(f"sqlite:///{acme.home}/node.sqlite3")
    with database.read() as connection:
        own = find_own(connection)
    database.dispose()
    assert own is not None
    other.write_bytes(own.pinned_root or b"")
    words = {"OTHER": str(other), "FILE": str(beta.home / "node.toml"), "RIGHT": served.fingerprint}
    error = beta.error("peer", "add", member, served.url, *(words.get(one, one) for one in options), "--yes", code=code)
    assert what in error["what"]
    if "FILE" in options:
        assert error["where"].startswith(f"--root {words['FILE']}")
    assert beta.json("peer", "list") == {"peers": []}


def test_a_peer_that_cannot_be_reached(beta: Commands, served: TestNode) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    error = beta.error("peer", "add", "gamma", url, "--fingerprint", served.fingerprint, "--yes", code=1)
    assert error["where"].startswith(url)
    url = "https://user:hunter2@gamma.example"
    assert (
        "***@gamma"
        in beta.error("peer", "add", "gamma", url, "--fingerprint", served.fingerprint, "--yes", code=2)["what"]
    )
    assert (
        "hunter2" not in beta("peer", "add", "gamma", url, "--fingerprint", served.fingerprint, "--yes", code=2).stderr
    )
    assert beta.error("peer", "add", "gamma", "ftp://x", "--fingerprint", served.fingerprint, "--yes", code=2)


@pytest.mark.parametrize("command", ["show", "pull", "pause", "suspend", "resume", "remove"])
def test_unknown_peers(beta: Commands, command: str) -> None:
    options = ("--yes",) if command == "remove" else ()
    error = beta.error("peer", command, "nobody", *options, code=3)
    assert "nobody" in error["what"]
    assert "peer list" in error["mend"]


def test_the_node_itself_is_no_peer(beta: Commands) -> None:
    assert "this node itself" in beta.error("peer", "pause", "beta", code=4)["what"]


def test_pause_and_resume(follower: Commands) -> None:
    assert "paused" in follower("peer", "pause", "gamma").stdout
    assert "resume" in follower.error("peer", "pull", "gamma", code=4)["mend"]
    assert follower.json("peer", "show", "gamma")["state"] == "paused"
    assert "pulled again" in follower("peer", "resume", "gamma").stdout
    assert follower.json("peer", "pause", "gamma")["state"] == "paused"


def test_suspend_and_resume(follower: Commands) -> None:
    follower("peer", "pull", "gamma")
    assert "left the blocklist" in follower("peer", "suspend", "gamma", "--reason", "its key was stolen").stdout
    assert follower.json("status")["blocklist"]["review"] == 0
    shown = follower.json("peer", "show", "gamma")
    assert (shown["state"], shown["decision"]["reason"]) == ("suspended", "its key was stolen")
    assert "by a person here" in follower("peer", "show", "gamma").stdout
    assert "suspended" in follower("peer", "list").stdout
    assert follower.json("peer", "resume", "gamma")["state"] == "active"
    assert follower.json("status")["blocklist"]["review"] > 0


def test_a_peer_that_fails_is_told_and_shown(follower: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    from hashpact_node.net.peer_logs import PeerLogs  # noqa: PLC0415  only here
    from hashpact_protocol.errors import FetchTimeoutError  # noqa: PLC0415

    def fail(*_arguments: object, **_options: object) -> None:
        raise FetchTimeoutError("it did not answer", where="gamma", mend="wait")

    monkeypatch.setattr(PeerLogs, "checkpoint", fail)
    said = follower("peer", "pull", "gamma", code=1).stderr
    assert said.splitlines()[0] == "warning: gamma: it did not answer"
    assert not follower.json("peer", "pull", "gamma", code=1)["ok"]
    assert "failing" in follower("peer", "list").stdout
    assert "it did not answer" in follower("peer", "show", "gamma").stdout
    assert "1 failing" in follower("status").stdout


def test_removal_wants_a_yes(follower: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    follower("peer", "pull", "gamma")
    assert "--yes" in follower.error("peer", "remove", "gamma", code=2)["mend"]
    assert follower.json("status")["blocklist"]["review"] > 0
    monkeypatch.setattr("hashpact_node.cli.asking.typer.confirm", lambda *_arguments, **_options: False)
    monkeypatch.setattr("hashpact_node.cli.asking.sys", Terminal())
    assert "nothing was changed" in follower("peer", "remove", "gamma", code=1).stderr
    assert "removed" in follower("peer", "remove", "gamma", "--yes").stdout
    assert follower.json("status")["blocklist"]["review"] == 0
    assert follower.json("peer", "list") == {"peers": []}


def test_a_pull_without_the_passphrase_says_so_and_blames_nobody(
    follower: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HASHPACT_PASSPHRASE")
    said = follower.error("peer", "pull", "gamma", code=5)
    assert "passphrase" in said["what"]
    assert "HASHPACT_PASSPHRASE" in said["mend"]
    shown = follower.json("peer", "show", "gamma")
    assert (shown["failures"], shown["last_error"], shown["next_try_at"]) == (0, None, None)
    assert follower.json("alarms", "list") == {"alarms": []}
