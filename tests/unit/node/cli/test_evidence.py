"""``hashpact evidence``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from commands import Commands
from hashpact_node import clock
from hashpact_protocol.statements import encode_statement
from members import listing, sha256
from publisher import Publisher


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "1.root.json"


@pytest.fixture
def deceived(beta: Commands, root: Path) -> Iterator[Commands]:
    """A node that was told two stories by gamma."""
    with Publisher("gamma", now=clock.now()) as gamma:
        root.write_bytes(gamma.root_file)
        gamma.log.append(*(listing(number, sha256(number)) for number in range(1, 4)))
        beta("peer", "add", "gamma", gamma.url, "--fingerprint", gamma.fingerprint, "--yes")
        beta("peer", "pull", "gamma")
        gamma.log.tell([encode_statement(listing(number, sha256(number))) for number in range(2, 7)])
        assert "hashpact evidence export 1 FILE" in beta("peer", "pull", "gamma", code=1).output
        yield beta


def test_a_fork_is_listed_shown_exported_and_verified_without_a_node(
    deceived: Commands, root: Path, tmp_path: Path
) -> None:
    assert "yes" in deceived("evidence", "list").stdout
    assert deceived.json("evidence", "list")["evidence"][0]["member"] == "gamma"
    shown = deceived.json("evidence", "show", "1")
    assert (shown["proven"], shown["sizes"], len(shown["notes"])) == (True, [3, 5], 2)
    said = deceived("evidence", "show", "1").stdout
    assert "no card in it voids this" in said
    assert "\N{EM DASH} " in said
    file = tmp_path / "gamma.json"
    assert "hashpact evidence verify" in deceived("evidence", "export", "1", str(file)).stderr
    nobody = Commands(tmp_path / "nowhere")
    arguments = ("evidence", "verify", str(file), "--root", str(root))
    assert nobody(*arguments).stdout.startswith("proven: the log 127.0.0.1")
    proven = nobody.json(*arguments)
    assert (proven["proven"], proven["void"], proven["member"]) == (True, None, "gamma")
    assert deceived("evidence", "export", "1", "-").stdout == file.read_text()
    file.write_text(file.read_text().replace('"gamma"', '"delta"'))
    assert nobody.error(*arguments, code=1)["code"] == "card-refused"
    file.write_text("nonsense")
    assert nobody.error(*arguments, code=2)["code"] == "evidence-malformed"


def test_nobody_has_lied(beta: Commands) -> None:
    assert "no evidence" in beta("evidence", "list").stdout
    beta.error("evidence", "show", "1", code=3)
    beta.error("evidence", "export", "1", "file", code=3)
