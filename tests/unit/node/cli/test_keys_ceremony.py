"""``hashpact keys ceremony``, ``keys take-out``, and ``keys rotate`` and ``revoke`` of the rows that the root names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from commands import Commands
from hashpact_node.cli import keys_ceremony
from tokens import PIN, SoftToken, forget_tokens

pytestmark = pytest.mark.usefixtures("quick_keys")


class Board:
    """Holders of keys that each lie in a folder of its own, and what they do with a draft."""

    def __init__(self, node: Commands, folder: Path) -> None:
        self.node, self.folder = node, folder
        self.draft = folder / "root-2.json"
        for name in ("ann", "bob", "cem", "officer"):
            node("keys", "generate", f"file:{folder / name / 'our.key'}", "--public", str(self.pem(name)))

    def pem(self, name: str) -> Path:
        return self.folder / f"{name}.pem"

    def start(self) -> str:
        """Start the ceremony, and give the digest as it is read aloud."""
        options = [part for name in ("ann", "bob", "cem") for part in ("--root", f"{name}={self.pem(name)}")]
        options += ["--targets", f"officer={self.pem('officer')}"]
        said = self.node("keys", "ceremony", "start", str(self.draft), *options).stdout
        assert "root: 2 of 3 keys must sign (was 1 of 1)" in said
        return next(line for line in said.splitlines() if line.startswith("digest: ")).removeprefix("digest: ")

    def sign(self, *names: str, draft: Path | None = None) -> None:
        digest = json.loads(self.draft.read_text())["digest"]
        for name in names:
            key = f"file:{self.folder / name / 'our.key'}"
            self.node("keys", "ceremony", "sign", str(draft or self.draft), "--key", key, "--digest", digest)

    def sign_at_node(self) -> None:
        digest = json.loads(self.draft.read_text())["digest"]
        for row in ("root", "targets"):
            key = f"file:{self.node.home / 'keys' / row}.key"
            self.node("keys", "ceremony", "sign", str(self.draft), "--key", key, "--digest", digest)


@pytest.fixture
def board(acme: Commands, tmp_path: Path) -> Board:
    return Board(acme, tmp_path)


def test_a_trial_home_is_upgraded_step_by_step(acme: Commands, board: Board, tmp_path: Path) -> None:
    board.start()
    board.sign_at_node()
    board.sign("ann", "officer")
    told = acme("keys", "ceremony", "status", str(board.draft), code=4).stdout
    assert "signatures are missing" in told
    assert "bob, cem" in told
    assert "1 of the 2 signatures" in acme.complaint("keys", "ceremony", "publish", str(board.draft), code=1)
    board.sign("cem")
    assert acme.json("keys", "ceremony", "status", str(board.draft))["ready"]
    done = acme("keys", "ceremony", "publish", str(board.draft)).stdout
    assert "in force: root 2:sha256:" in done
    assert "taken out of node.toml, since it counts no more: file:keys/root.key" in done
    assert acme.json("keys", "status")["fingerprint"].startswith("2:sha256:")
    # The files of the trial are still there, and have to go.
    found = {one["code"] for one in acme.json("keys", "check", code=7)["findings"]}
    assert "former-key-here" in found
    assert "give either" in acme.complaint("keys", "take-out", code=2)
    assert "within the home" in acme.complaint("keys", "take-out", "--to", str(acme.home / "x"), code=2)
    told = acme("keys", "take-out", "--to", str(tmp_path / "safe")).stdout
    assert "no root or targets key is left in" in told
    assert sorted(path.name for path in (tmp_path / "safe").iterdir()) == ["root.key", "targets.key"]
    assert not [path for path in acme.home.rglob("*") if path.name in {"root.key", "targets.key"}]
    assert acme.json("keys", "take-out", "--destroy")["taken"] == []
    found = {one["code"] for one in acme.json("keys", "check", code=7)["findings"]}
    assert not found & {"former-key-here", "offline-key-here"}
    assert "stale" in acme.complaint("keys", "ceremony", "publish", str(board.draft), code=1)


def test_copies_that_were_signed_apart_are_put_together(acme: Commands, board: Board, tmp_path: Path) -> None:
    board.start()
    board.sign_at_node()
    copies = [tmp_path / f"{name}.json" for name in ("ann", "bob", "officer")]
    for copy in copies:
        copy.write_bytes(board.draft.read_bytes())
        board.sign(copy.stem, draft=copy)
    assert not acme.json("keys", "ceremony", "status", *map(str, copies[:2]), code=4)["ready"]
    assert "2:sha256" in acme.json("keys", "ceremony", "publish", *map(str, copies))["fingerprint"]


def test_nobody_signs_who_has_not_heard_the_digest(acme: Commands, board: Board) -> None:
    aloud = board.start()
    key = ("--key", f"file:{board.folder / 'ann' / 'our.key'}")
    for heard in ("", "0000 0000", aloud[:8], "zz"):
        complaint = acme.error("keys", "ceremony", "sign", str(board.draft), *key, "--digest", heard, code=2)
        assert "not the digest of this draft" in complaint["what"]
    assert "must have heard" in acme.error("keys", "ceremony", "sign", str(board.draft), *key, code=2)["what"]
    assert acme.json("keys", "ceremony", "status", str(board.draft), code=4)["requirements"][1]["signed"] == []
    acme("keys", "ceremony", "sign", str(board.draft), *key, "--digest", aloud[:9].upper())
    assert acme.json("keys", "ceremony", "status", str(board.draft), code=4)["requirements"][1]["signed"]


def test_whoever_signs_at_a_terminal_is_asked_for_the_digest(
    acme: Commands, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    aloud = board.start()
    asked: list[str] = []

    def prompt(text: str, **_: object) -> str:
        asked.append(text)
        return aloud

    monkeypatch.setattr("typer.prompt", prompt)
    monkeypatch.setattr(keys_ceremony, "_at_terminal", lambda: True)
    key = f"file:{board.folder / 'bob' / 'our.key'}"
    said = acme("keys", "ceremony", "sign", str(board.draft), "--key", key).stdout
    assert asked
    assert aloud not in said.partition("to be signed")[0]  # it is typed from what is heard, not from the screen


def test_strangers_and_tampered_drafts_are_refused_in_words(acme: Commands, board: Board) -> None:
    board.start()
    acme("keys", "generate", f"file:{board.folder / 'eve.key'}")
    digest = json.loads(board.draft.read_text())["digest"]
    eve = ("--key", f"file:{board.folder / 'eve.key'}", "--digest", digest)
    assert "may sign nothing" in acme.complaint("keys", "ceremony", "sign", str(board.draft), *eve, code=1)
    value = json.loads(board.draft.read_text())
    board.draft.write_text(json.dumps(value | {"member": "beta"}))
    for command in (("status",), ("publish",)):
        assert "beta" in acme.complaint("keys", "ceremony", *command, str(board.draft), code=1)
    board.draft.write_text("{}")
    assert "no draft" in acme.complaint("keys", "ceremony", "status", str(board.draft), code=1)
    assert "cannot be read" in acme.complaint("keys", "ceremony", "status", "nowhere.json", code=2)


def test_options_that_make_no_sense_are_refused(acme: Commands, board: Board, tmp_path: Path) -> None:
    start = ("keys", "ceremony", "start", str(tmp_path / "d.json"))
    assert "who holds which key" in acme.complaint(*start, "--root", str(board.pem("ann")), code=2)
    assert "cannot meet" in acme.complaint(*start, "--root", f"a={board.pem('ann')}", "--root-threshold", "2", code=2)
    assert "changes no root" in acme.complaint(*start, "--card", "--online", "file:x.key", code=2)
    assert "exists already" in acme.complaint("keys", "ceremony", "start", str(board.pem("ann")), code=2)
    (tmp_path / "no.pem").write_text("x")
    assert acme.error(*start, "--root", f"a={tmp_path / 'no.pem'}", code=5)["where"]
    assert not (tmp_path / "d.json").exists()


@pytest.mark.parametrize("row", ["root", "targets", "online"])
@pytest.mark.parametrize("command", ["rotate", "revoke"])
def test_rows_of_the_root_are_replaced_at_once_where_the_keys_are_here(
    acme: Commands, row: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = acme.json("keys", "status")["card_version"]
    done = acme.json("keys", command, row)
    assert done["fingerprint"].startswith("2:sha256:")
    assert done["dropped"] == [f"file:keys/{row}.key"]
    assert (done["card"] > before) == (command == "revoke" or row == "targets")
    assert "in force: root 3" in acme("keys", command, row).stdout
    assert not list(tmp_path.glob("*.json"))


def test_where_the_keys_are_elsewhere_a_draft_is_left(
    acme: Commands, board: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    board.start()
    board.sign_at_node()
    board.sign("ann", "bob", "officer")
    acme("keys", "ceremony", "publish", str(board.draft))
    assert "signatures are missing" in acme("keys", "rotate", "online").stdout
    board.draft = tmp_path / "online-ceremony.json"
    board.sign("bob", "cem")
    assert acme.json("keys", "ceremony", "publish", str(board.draft))["dropped"] == ["file:keys/online.key"]
    assert "exists already" in acme.complaint("keys", "rotate", "online", code=2)
    assert "held by 3 people" in acme.complaint("keys", "rotate", "root", code=2)
    card = str(tmp_path / "card.json")
    acme("keys", "ceremony", "start", card, "--card")
    board.draft = Path(card)
    board.sign("officer")
    assert acme.json("keys", "ceremony", "publish", card)["card"]


def test_one_of_the_holders_signs_with_a_token(
    acme: Commands, board: Board, token: SoftToken, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Two of three, of which one has never left a token; nothing but the wheel and the draft is there to sign."""
    monkeypatch.setenv("HASHPACT_PIN", PIN)
    elsewhere = Commands(tmp_path / "no home here")
    uri = token.uri("root of bob")
    elsewhere("keys", "generate", uri, "--public", str(board.pem("bob")))
    board.start()
    digest = json.loads(board.draft.read_text())["digest"]
    signing = ("keys", "ceremony", "sign", str(board.draft), "--key", uri, "--digest", digest)
    monkeypatch.setenv("HASHPACT_PIN", "000000")
    forget_tokens(token.hsm)
    assert "PIN" in elsewhere.complaint(*signing, code=5)
    monkeypatch.setenv("HASHPACT_PIN", PIN)
    elsewhere(*signing)
    board.sign_at_node()
    board.sign("ann", "officer")
    assert acme.json("keys", "ceremony", "publish", str(board.draft))["fingerprint"].startswith("2:sha256:")
