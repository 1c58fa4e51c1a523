"""``hashpact prove`` and ``hashpact verify-proof``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from commands import Commands
from hashpact_node.store.database import open_database
from hashpact_node.store.peers import find_own
from hashpact_protocol.notes import KeyType, VerifierKey

Draw = Callable[[int], str]


@pytest.fixture
def listing(acme: Commands, draw: Draw) -> str:
    acme("publish", draw(1))
    return str(acme.json("publish", draw(2))["listings"][0]["id"])


@pytest.fixture
def card(acme: Commands, tmp_path: Path) -> Path:
    database = open_database(f"sqlite:///{acme.home}/node.sqlite3")
    with database.read() as connection:
        own = find_own(connection)
    database.dispose()
    assert own is not None
    path = tmp_path / "member.json"
    path.write_bytes(own.card or b"")
    return path


def test_a_proof_verifies_without_a_node(acme: Commands, listing: str, card: Path, tmp_path: Path) -> None:
    proof = tmp_path / "proof"
    said = acme("prove", listing, "-o", str(proof))
    assert not said.stdout
    assert f"{listing} is entry 1 of 2" in said.stderr
    entry = tmp_path / "proof.entry.json"
    nobody = Commands(tmp_path / "nowhere")
    arguments = ("verify-proof", str(proof), "--entry", str(entry), "--card", str(card))
    assert nobody(*arguments).stdout.startswith("verified: the entry stands at index 1")
    assert nobody.json(*arguments)["verified"] is True
    acme("withdraw", listing, "--reason", "error")
    assert "withdrawn since" in acme("prove", listing).stderr


def test_a_policy_says_whom_to_believe_as_well(acme: Commands, listing: str, card: Path, tmp_path: Path) -> None:
    shown = acme.json("prove", listing)
    files = {"proof": shown["proof"], "entry": shown["entry"]}
    keys = [key for log in json.loads(card.read_text())["logs"] for key in log["keys"]]
    files["policy"] = f"log {keys[0]}\nquorum none\n"
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    paths = {name: str(tmp_path / name) for name in files}
    acme("verify-proof", paths["proof"], "--entry", paths["entry"], "--policy", paths["policy"])
    assert acme("prove", listing).stdout == shown["proof"]
    (tmp_path / "entry").write_text(shown["entry"].replace("image", "video"))
    error = acme.error("verify-proof", paths["proof"], "--entry", paths["entry"], "--policy", paths["policy"], code=1)
    assert error["code"] == "inclusion-invalid"
    (tmp_path / "proof").write_text("nonsense")
    arguments = ("verify-proof", paths["proof"], "--entry", paths["entry"])
    assert acme.error(*arguments, "--policy", paths["policy"], code=2)["code"] == "proof-malformed"
    assert "whom to believe" in acme.error(*arguments, code=2)["what"]


def test_policy_and_card_must_both_hold(acme: Commands, listing: str, card: Path, tmp_path: Path) -> None:
    proof, policy = tmp_path / "proof", tmp_path / "policy"
    acme("prove", listing, "--offline", "-o", str(proof))
    told = json.loads(card.read_text())
    (log,) = [log for log in told["logs"] if log["kind"] == "listings"]
    lines = f"log {log['keys'][0]}\nwitness own {told['witness_keys'][0]['key']}\n"
    arguments = (
        "verify-proof",
        str(proof),
        "--entry",
        f"{proof}.entry.json",
        "--policy",
        str(policy),
        "--card",
        str(card),
    )
    policy.write_text(f"{lines}quorum own\n")
    acme(*arguments)
    other = VerifierKey("gamma.example/witness-1", KeyType.COSIGNATURE, VerifierKey.parse(log["keys"][0]).public)
    policy.write_text(f"log {log['keys'][0]}\nwitness other {other}\nquorum other\n")
    assert "quorum" in acme.error(*arguments, code=1)["what"]
    policy.write_text(f"{lines}quorum own\n")
    told["logs"] = [one for one in told["logs"] if one is not log]
    card.write_text(json.dumps(told))
    assert "names no log" in acme.error(*arguments, code=1)["what"]


def test_unknown_listings(acme: Commands) -> None:
    acme.error("prove", "6f1c2f0e-6f5c-4b0e-9d0a-0f6d2a1b3c4d", code=3)
    acme.error("prove", "nonsense", code=3)
