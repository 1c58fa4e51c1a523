from __future__ import annotations

from pathlib import Path

import pytest

from hashpact_node.services.required_witnesses import required_witnesses
from hashpact_node.settings import Settings
from hashpact_protocol.errors import ConfigurationError
from hashpact_protocol.tlog_policy import POLICY_MAX_BYTES, parse_policy
from vectors.signers import WITNESSES, Signer

WITNESS = f"witness W {WITNESSES[0].vkey}\n"
STRANGE = f"witness S {Signer('strange.example', 0x06).vkey}\n"


def asking(folder: Path, text: str | None) -> Settings:
    path = folder / "witness.policy"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    return Settings(home=folder, require_witnesses=path)


def test_a_number() -> None:
    assert required_witnesses(Settings(home=Path(), require_witnesses=3)) == 3


@pytest.mark.parametrize(
    "text", [f"{WITNESS}quorum W\n", f"{WITNESS}{STRANGE}group g any W S\nquorum g\n", "quorum none\n"]
)
def test_a_policy(tmp_path: Path, text: str) -> None:
    assert required_witnesses(asking(tmp_path, text)) == parse_policy(text.encode())


@pytest.mark.parametrize(
    ("text", "where", "message"),
    [
        (None, "", "cannot be read: No such file"),
        ("", "", "no quorum line"),
        ("\n" * (POLICY_MAX_BYTES + 1), "", "too large"),
        (f"{WITNESS}quorum X\n", ", line 2", "no earlier line defines"),
        (f"{WITNESS}{STRANGE}group g all W S\nquorum g\n", "", "can never be met"),
        (f"{STRANGE}quorum S\n", "", "can never be met"),
    ],
)
def test_a_file_that_cannot_be_used(tmp_path: Path, text: str | None, where: str, message: str) -> None:
    settings = asking(tmp_path, text)
    with pytest.raises(ConfigurationError, match=message) as caught:
        required_witnesses(settings)
    assert caught.value.where == f"{settings.require_witnesses}{where}"
    assert caught.value.mend


def test_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        required_witnesses(Settings(home=tmp_path, require_witnesses=tmp_path))
