"""What is wrong is refused in words, by whole programs: no traceback, no secret, nothing half applied, nothing lost."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from hashpact_keys import trust
from hashpact_node import clock
from hashpact_protocol.notes import KeyType, VerifierKey
from material import draft, drafts, hex_of
from nodes import PASSPHRASE, STOP_SECONDS, MakeNode, TestNode, interruptible, make_node, running, wait_until
from publisher import Publisher

MALFORMED = {
    "md5": "0" * 31,
    "sha1": "0" * 41,
    "sha256": "A" * 64,
    "sha512": "0" * 64,
    "pdq": "zz",
    "tlsh": "0" * 70,
    "url_sha256": "https://example.org",
    "photodna": "0" * 64,
    "vpdq": "0" * 64,
    "tmk": "0" * 64,
    "Unknown": "x",
    "unknown": "white space",
}


def malformed(kind: str, value: str) -> dict[str, Any]:
    """Give a listing whose one signal is malformed."""
    signal_ = {"type": kind, "value": value} | ({"quality": 90} if kind == "pdq" else {})
    return {"content": "image", "signals": [signal_]}


def ndjson(path: Path, *listings: dict[str, Any]) -> Path:
    """Write listings into a file."""
    path.write_text("".join(f"{json.dumps(one)}\n" for one in listings))
    return path


def refused(node: TestNode, *words: str, code: int) -> dict[str, Any]:
    """Run a command that must fail with this exit code, and give the error that it tells programs."""
    done = node.command(*words, "--json")
    assert done.returncode == code, f"{done.returncode}: {done.stderr}"
    error: dict[str, Any] = json.loads(clean(done.stdout + done.stderr).splitlines()[-1])["error"]
    assert error["what"]
    return error


def clean(said: str) -> str:
    """Give what was said, which shows no traceback and no passphrase."""
    assert "Traceback" not in said, said
    assert PASSPHRASE not in said
    return said


@pytest.fixture(autouse=True)
def no_secrets(tmp_path: Path) -> Iterator[None]:
    """Look through all that was written, logs and databases, for the passphrase and for tracebacks."""
    yield
    for path in tmp_path.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert PASSPHRASE.encode() not in data, path
            assert path.suffix != ".log" or b"Traceback" not in data, data.decode()


@pytest.fixture
def acme(tmp_path: Path) -> TestNode:
    """A member on SQLite, not started."""
    return make_node(tmp_path, "acme")


@pytest.fixture
def beta(tmp_path: Path) -> TestNode:
    """Another one."""
    return make_node(tmp_path, "beta")


def test_malformed_hashes_are_told_by_line_and_nothing_is_imported(acme: TestNode, tmp_path: Path) -> None:
    wrong = [malformed(*one) for one in MALFORMED.items()]
    path = ndjson(tmp_path / "hashes.ndjson", *drafts(1), *wrong, *drafts(1, seed=1))
    error = refused(acme, "import", str(path), code=2)
    assert error["where"] == str(path)
    lines = error["what"].splitlines()
    assert lines[0] == f"{len(wrong)} lines are wrong, so nothing was imported:"
    for number, (kind, line) in enumerate(zip(MALFORMED, lines[1:], strict=True), 2):
        assert f"line {number}" in line
        assert kind in line or kind.lower() != kind
    status = json.loads(acme.command("status", "--json").stdout)
    assert (status["queue"], status["logs"][0]["size"]) == (0, 0)


def test_malformed_hashes_are_told_by_line_and_nothing_is_published(acme: TestNode) -> None:
    with running(acme):
        for kind, value in MALFORMED.items():
            body = "\n".join(map(json.dumps, (*drafts(1), malformed(kind, value))))
            answer = acme.post("/v1/listings", content=body, headers={"content-type": "application/x-ndjson"})
            problem = answer.json()
            assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
            assert problem["where"].startswith("line 2"), problem
            assert problem["detail"]
            clean(answer.text)
        assert acme.log(acme).placed_size == 0
        unknown = acme.post("/v1/peers/nobody/pull")
        assert (unknown.status_code, unknown.json()["code"]) == (404, "not-found")


def not_added(node: TestNode, **asked: str) -> dict[str, Any]:
    """Ask a node to follow somebody, which it must refuse for what the other side says; the problem that it tells."""
    answer = node.post("/v1/peers", json=asked)
    clean(answer.text)
    assert (answer.status_code, answer.headers["content-type"]) == (502, "application/problem+json"), answer.text
    assert node.get("/v1/peers").json() == {"peers": []}
    problem: dict[str, Any] = answer.json()
    assert problem["mend"]
    return problem


def test_a_peer_is_never_added_under_a_wrong_pin_or_name(acme: TestNode, beta: TestNode) -> None:
    digit = "0" if acme.fingerprint[-1] != "0" else "1"
    right = {"member": "acme", "url": acme.url}
    with running(acme, beta):
        assert "pinned" in not_added(beta, **right, fingerprint=acme.fingerprint[:-1] + digit)["detail"]
        other = beta.get("/trust/metadata/1.root.json").text
        assert not_added(beta, **right, root=other)["code"] == "trust-refused"
        assert "delta" in not_added(beta, member="delta", url=acme.url, fingerprint=acme.fingerprint)["detail"]
        assert refused(beta, "peer", "pull", "acme", code=3)["code"] == "not-found"


@contextmanager
def careless(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let a publisher in this process sign whatever card it likes."""
    with monkeypatch.context() as patched:
        patched.setattr(trust, "_own_card", lambda card: card)
        patched.setattr(trust, "check_rows", lambda *_arguments, **_options: None)
        yield


def squatting(acme: Publisher, origin: str) -> list[dict[str, Any]]:
    """Give what a card would say of a log under another member's name."""
    (honest,) = json.loads(acme.card())["logs"]
    key = VerifierKey(origin, KeyType.ED25519, acme.log.keys[0].public_key().public_bytes_raw())
    return [{**honest, "origin": origin, "url": f"https://{origin}", "keys": [str(key)]}]


def test_an_origin_outside_its_member_s_url(beta: TestNode, monkeypatch: pytest.MonkeyPatch) -> None:
    foreign = "victim.example/logs/listings-1"
    with Publisher("acme", now=clock.now()) as acme, running(beta):
        pinned = {"member": "acme", "url": acme.url, "fingerprint": acme.fingerprint}
        with careless(monkeypatch):
            acme.publish(logs=squatting(acme, foreign))
        problem = not_added(beta, **pinned)
        assert (problem["code"], problem["where"]) == ("card-refused", "logs[0].origin")
        assert foreign in problem["detail"]

        acme.publish()
        assert beta.post("/v1/peers", json=pinned).status_code == 201
        with careless(monkeypatch):
            acme.publish(logs=squatting(acme, foreign))
        beta.let_an_hour_pass()
        assert beta.post("/v1/peers/acme/pull").status_code == 200
        shown = beta.get("/v1/peers/acme").json()
        assert [log["origin"] for log in shown["logs"]] == [acme.log.origin], "the card accepted before is in force"
        assert foreign in shown["trust_error"]["what"]
        assert any(foreign in alarm["what"] for alarm in shown["alarms"])


def test_a_port_in_use_and_a_home_in_use(acme: TestNode) -> None:
    with socket.create_server(("127.0.0.1", acme.port)):
        done = acme.command("serve", "--port", str(acme.port))
    assert done.returncode == 4
    assert "the port is in use" in clean(done.stderr)
    before = {path: path.read_bytes() for path in (acme.home / "keys").iterdir()}
    with running(acme):
        init = ("init", "--member", "acme", "--url", acme.url)
        assert "in use" in refused(acme, *init, code=4)["what"]
        assert acme.get("/readyz").status_code == 200
    assert {path: path.read_bytes() for path in (acme.home / "keys").iterdir()} == before


def test_a_database_of_a_newer_version(make: MakeNode, tmp_path: Path) -> None:
    node = make("acme")
    newer = "UPDATE alembic_version SET version_num = 'r9999'"
    if node.database_url.startswith("sqlite"):
        with closing(sqlite3.connect(node.home / "node.sqlite3")) as connection, connection:
            connection.execute(newer)
    else:
        with psycopg.connect(node.database_url) as server:
            server.execute(newer.encode())
    file = tmp_path / "file"
    file.write_bytes(b"synthetic")
    for words in (("publish", str(file)), ("status",)):
        error = refused(node, *words, code=6)
        assert error["code"] == "store-newer"
    done = node.command("serve", "--port", str(node.port))
    assert done.returncode == 6
    assert "newer" in clean(done.stderr)


# A disk that is full


@dataclass
class SmallDisk:
    """A disk whose size can be changed."""

    folder: Path

    def resize(self, megabytes: int) -> None:
        """Make it larger or smaller."""
        subprocess.run(["mount", "-o", f"remount,size={megabytes}m", str(self.folder)], check=True)

    def member(self, name: str) -> TestNode:
        """Set up a member there, and leave it little room."""
        node = make_node(self.folder, name)
        self.resize(4)
        return node


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A disk of its own, which only root can have mounted."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    folder = tmp_path / "disk"
    folder.mkdir()
    line = ["mount", "-t", "tmpfs", "-o", "size=256m", "hashpact-test", str(folder)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no small disk can be mounted here: {done.stderr.strip()}")
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_while_importing(small_disk: SmallDisk, tmp_path: Path) -> None:
    acme = small_disk.member("acme")
    path = ndjson(tmp_path / "hashes.ndjson", *drafts(20_000))
    error = refused(acme, "import", str(path), code=6)
    assert error["code"] == "store-full"
    assert error["mend"]
    small_disk.resize(256)
    done = acme.command("import", str(path), "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["imported"] + said["resumed"] == 20_000
    assert json.loads(acme.command("blocklist", "digest", "--json").stdout)["listings"] == 20_000
    rebuilt = json.loads(acme.command("rebuild", "--json").stdout)
    assert (rebuilt["signals_mended"], rebuilt["owners_mended"]) == (0, 0)


def test_a_full_disk_while_publishing_by_http(small_disk: SmallDisk) -> None:
    acme = small_disk.member("acme")
    told: dict[str, int | None] = {}
    with running(acme):
        for seed in range(100):
            body = "\n".join(map(json.dumps, drafts(500, seed=seed)))
            answer = acme.post("/v1/listings", content=body, headers={"content-type": "application/x-ndjson"})
            clean(answer.text)
            if answer.status_code not in (201, 202):
                break
            told.update({one["id"]: one["index"] for one in answer.json()["listings"]})
        assert answer.status_code == 507, answer.text
        assert answer.json()["code"] == "store-full"
        assert acme.get("/healthz").status_code == 200
        small_disk.resize(256)
        wait_until(lambda: acme.log(acme).accepted_size == len(told))
        answer = acme.post("/v1/listings", json=draft(random.Random(-1)))
        assert (answer.status_code, answer.json()["index"]) == (201, len(told))
        assert acme.get("/v1/blocklist/digest").json()["listings"] == len(told) + 1
        known = [(one, index) for one, index in told.items() if index is not None]
        for one, index in random.Random(0).sample(known, 10):
            assert acme.get(f"/v1/listings/{one}").json()["index"] == index


def test_a_full_disk_while_pulling(small_disk: SmallDisk, acme: TestNode, tmp_path: Path) -> None:
    beta = small_disk.member("beta")
    path = ndjson(tmp_path / "hashes.ndjson", *drafts(20_000))
    assert acme.command("import", str(path)).returncode == 0
    with running(acme):
        beta.follow(acme)
        done = beta.command("peer", "pull", "acme")
        assert done.returncode in (1, 6)
        assert "full" in clean(done.stderr)
        held = beta.log(acme).held_size
        assert held < 20_000
        small_disk.resize(256)
        done = beta.command("peer", "pull", "acme")
        assert done.returncode == 0, done.stderr
        assert beta.log(acme).held_size == 20_000
        told = json.loads(beta.command("blocklist", "digest", "--member", "acme", "--json").stdout)
        assert told["digest"] == acme.digest()


# Ctrl-C


@dataclass
class CtrlC:
    """Presses Ctrl-C on commands, at moments that ``chance`` chooses."""

    node: TestNode
    chance: random.Random
    longest: float = 1.5

    def press(self, *words: str) -> bool:
        """Run a command and press Ctrl-C at some moment once it has begun; whether it had ended by then."""
        line = [str(Path(sys.executable).parent / "hashpact"), *words]
        environment = interruptible(self.node.environment)
        with subprocess.Popen(
            line, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
        ) as process:
            wait_until(lambda: process.poll() is not None or self._has_begun(process.pid))
            try:
                process.wait(self.chance.uniform(0, self.longest))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to every process in its foreground
            try:
                out, err = (clean(data.decode()) for data in process.communicate(timeout=STOP_SECONDS))
            finally:
                process.kill()
        assert process.returncode in (0, 130, -signal.SIGINT), err
        if process.returncode == 130:
            assert "interrupted: nothing is half done" in err
        else:
            assert out  # it was done, and perhaps about to leave
        return process.returncode != 130

    def _has_begun(self, process: int) -> bool:
        """Say whether a process has its database open."""
        for path in Path(f"/proc/{process}/fd").iterdir():
            try:
                if path.readlink().name.startswith(("node.sqlite3", "socket:")):
                    return True
            except FileNotFoundError:  # closed meanwhile
                continue
        return False


PRESSED = 3


def test_ctrl_c_while_importing(make: MakeNode, tmp_path: Path) -> None:
    acme = make("acme")
    ctrl_c = CtrlC(acme, random.Random(0))
    chance = random.Random(1)
    listings = [{"content": "image", "signals": [{"type": "md5", "value": hex_of(chance, 16)}]} for _ in range(25_000)]
    path = ndjson(tmp_path / "hashes.ndjson", *listings)
    for _ in range(PRESSED):
        ctrl_c.press("import", str(path))
        assert acme.log(acme).placed_size in (0, 10_000, 20_000, 25_000)
    done = acme.command("import", str(path), "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["imported"] + said["resumed"] == 25_000
    told = json.loads(acme.command("blocklist", "digest", "--json").stdout)
    assert (told["listings"], told["logs"][0]["size"]) == (25_000, 25_000)
    assert json.loads(acme.command("status", "--json").stdout)["queue"] == 0


@pytest.mark.parametrize("kind", ["sqlite"])  # what Ctrl-C does to a transaction is tried while importing
def test_ctrl_c_while_pulling(make: MakeNode, tmp_path: Path) -> None:
    acme, beta = make("acme"), make("beta")
    path = ndjson(tmp_path / "hashes.ndjson", *drafts(12_000))
    assert acme.command("import", str(path)).returncode == 0
    with running(acme):
        beta.follow(acme)
        ctrl_c = CtrlC(beta, random.Random(0), longest=2.5)
        for _ in range(PRESSED):
            ctrl_c.press("peer", "pull", "acme")
            assert beta.log(acme).held_size in (0, 12_000)
        done = beta.command("peer", "pull", "acme", "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["logs"][0]["after"] == 12_000
        told = json.loads(beta.command("blocklist", "digest", "--member", "acme", "--json").stdout)
        assert told["digest"] == acme.digest()
    peer = json.loads(beta.command("peer", "show", "acme", "--json").stdout)
    assert peer["alarms"] == []
