"""Cards that are signed elsewhere while a command waits."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from commands import Commands
from hashpact_keys.ceremony import sign_draft, start_card
from hashpact_keys.ceremony_draft import Draft, encode_draft, parse_draft
from hashpact_keys.keystore import KeyStore
from hashpact_keys.signers import open_trust_signer
from hashpact_node.cli.card_drafts import SignedElsewhere
from hashpact_node.cli.files import text_output
from hashpact_protocol.errors import KeyUnavailableError, RequestError
from nodes import PASSPHRASE, wait_until
from unit.keys.ceremonies import LATER, card_of, signed
from unit.keys.trust_simulator import Member


def draft_of(member: Member) -> Draft:
    return start_card(member.files, member.card(name="B"), card_of(member), LATER)


def put(path: Path, data: bytes) -> None:
    """Bring a file back as a whole, as the command that signs does."""
    with text_output(path) as output:
        output.write(data.decode())


def during(work: Callable[[], object], beside: Callable[[], None]) -> object:
    """Do something while something else happens."""
    thread = threading.Thread(target=beside)
    thread.start()
    try:
        return work()
    finally:
        thread.join()


def test_a_log_is_closed_by_a_card_that_an_officer_signs_elsewhere(acme: Commands, tmp_path: Path) -> None:
    (acme.home / "keys" / "targets.key").rename(tmp_path / "officer.key")
    assert "--draft FILE" in acme.complaint("logs", "close", "listings", code=5)
    draft = tmp_path / "card.json"

    def sign() -> None:
        wait_until(draft.exists)
        signer = open_trust_signer("file:officer.key", KeyStore(tmp_path, PASSPHRASE.encode))
        put(draft, encode_draft(sign_draft(parse_draft(draft.read_bytes(), where="card.json"), signer)))

    done = during(lambda: acme.json("logs", "close", "listings", "--draft", str(draft)), sign)
    assert isinstance(done, dict)
    assert done["closed"].endswith("/logs/listings-1")
    assert acme.json("keys", "status")["card_version"] == done["card"]


def test_who_waits_in_vain_has_changed_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draft, path = draft_of(Member()), tmp_path / "card.json"
    with pytest.raises(KeyUnavailableError, match="did not come in time"):
        SignedElsewhere(path, wait_seconds=0)(draft)
    assert "digest: " in capsys.readouterr().err
    with pytest.raises(RequestError, match="exists already"):
        SignedElsewhere(path)(draft)


def test_what_comes_back_and_is_another_is_told_and_waited_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    member, path = Member(), tmp_path / "card.json"
    mine, other = draft_of(member), draft_of(Member())
    said: list[str] = []

    def hears(word: str) -> bool:
        said.append(capsys.readouterr().err)
        return word in "".join(said)

    def bring_back() -> None:
        wait_until(path.exists)
        put(path, b"spoilt")
        wait_until(lambda: hears("not the signed draft"))
        put(path, encode_draft(other))
        wait_until(lambda: hears("another draft"))
        put(path, encode_draft(signed(mine, [member.targets])))

    done = during(lambda: SignedElsewhere(path, wait_seconds=300)(mine), bring_back)
    assert isinstance(done, Draft)
    assert done.digest == mine.digest
