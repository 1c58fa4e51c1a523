"""Where the passphrase and PINs come from, and that they go nowhere."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path

import pytest

from hashpact_node.cli.passphrase import PassphraseSource, make_passphrase_file
from hashpact_node.settings import Settings
from hashpact_protocol.errors import KeyUnavailableError


def source(home: Path, file: Path | None = None, *, new: bool = False, **environment: str) -> PassphraseSource:
    return PassphraseSource(Settings(home=home, passphrase_file=file), new=new, environment=environment)


def write(path: Path, data: bytes, mode: int = 0o600) -> Path:
    path.write_bytes(data)
    path.chmod(mode)
    return path


class Typist:
    def __init__(self, *words: str) -> None:
        self.words = list(words)

    def __call__(self, _prompt: str, stream: object) -> str:
        assert stream is sys.stderr
        return self.words.pop(0)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)


def test_the_environment_comes_first(tmp_path: Path) -> None:
    file = write(tmp_path / "file", b"from the file\n")
    assert source(tmp_path, file, HASHPACT_PASSPHRASE="from afar")() == b"from afar"
    assert source(tmp_path, file)() == b"from the file"


@pytest.mark.parametrize("data", [b"word", b"word\n", b"word\r\n", b"word\nsecond line\n"])
def test_the_first_line_of_a_file_counts(tmp_path: Path, data: bytes) -> None:
    assert source(tmp_path, write(tmp_path / "file", data))() == b"word"


def test_a_file_in_the_home_is_found(tmp_path: Path) -> None:
    assert not source(tmp_path).is_known
    made = make_passphrase_file(tmp_path, "made up")
    assert made.stat().st_mode & 0o777 == 0o600
    assert source(tmp_path).is_known
    assert source(tmp_path)() == b"made up"
    with pytest.raises(KeyUnavailableError, match="cannot be written"):
        make_passphrase_file(tmp_path, "another")
    assert source(tmp_path)() == b"made up"


def test_a_file_that_others_may_read_is_warned_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert source(tmp_path, write(tmp_path / "file", b"word\n", 0o644))() == b"word"
    said = capsys.readouterr().err
    assert "other users may read" in said
    assert "word" not in said.replace("passphrase", "")


@pytest.mark.parametrize(("data", "what"), [(b"", "empty"), (b"\nword", "empty"), (b"x" * 4097, "longer than 4096")])
def test_files_that_hold_none(tmp_path: Path, data: bytes, what: str) -> None:
    file = write(tmp_path / "file", data)
    with pytest.raises(KeyUnavailableError, match=what) as caught:
        source(tmp_path, file)()
    assert caught.value.where == str(file)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(KeyUnavailableError, match="cannot be read: No such file"):
        source(tmp_path, tmp_path / "none")()


def test_an_empty_variable(tmp_path: Path) -> None:
    with pytest.raises(KeyUnavailableError, match="empty"):
        source(tmp_path, HASHPACT_PASSPHRASE="")()


def test_nobody_to_ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
    with pytest.raises(KeyUnavailableError, match="no terminal"):
        source(tmp_path)()


@pytest.mark.usefixtures("terminal")
def test_a_person_is_asked_once_and_twice_for_a_new_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getpass", Typist("typed"))
    assert source(tmp_path)() == b"typed"
    monkeypatch.setattr(getpass, "getpass", Typist("typed", "typed"))
    assert source(tmp_path, new=True)() == b"typed"
    monkeypatch.setattr(getpass, "getpass", Typist("typed", "tpyed"))
    with pytest.raises(KeyUnavailableError, match="differ"):
        source(tmp_path, new=True)()
    monkeypatch.setattr(getpass, "getpass", Typist(""))
    with pytest.raises(KeyUnavailableError, match="empty"):
        source(tmp_path, new=True)()


def test_the_pin_comes_from_the_environment_then_a_file(tmp_path: Path) -> None:
    file = write(tmp_path / "pin", b"1234\r\nsecond\n")
    assert source(tmp_path, HASHPACT_PIN="9876", HASHPACT_PIN_FILE=str(file)).pin("token") == "9876"
    assert source(tmp_path, HASHPACT_PIN_FILE=str(file)).pin("token") == "1234"


@pytest.mark.parametrize(("data", "what"), [(b"", "PIN is empty"), (b"\xff", "not UTF-8"), (b"1" * 4097, "longer")])
def test_files_that_hold_no_pin(tmp_path: Path, data: bytes, what: str) -> None:
    file = write(tmp_path / "pin", data)
    with pytest.raises(KeyUnavailableError, match=what) as caught:
        source(tmp_path, HASHPACT_PIN_FILE=str(file)).pin("token")
    assert caught.value.where == str(file)
    with pytest.raises(KeyUnavailableError, match="PIN file cannot be read: No such file"):
        source(tmp_path, HASHPACT_PIN_FILE=str(tmp_path / "none")).pin("token")


@pytest.mark.usefixtures("terminal")
def test_a_person_is_asked_for_the_pin_of_a_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getpass", Typist("1234", ""))
    assert source(tmp_path).pin("token 'a'") == "1234"
    with pytest.raises(KeyUnavailableError, match="PIN is empty"):
        source(tmp_path).pin("token 'a'")


def test_nobody_to_ask_for_a_pin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
    with pytest.raises(KeyUnavailableError, match=r"no terminal.*pin-source") as caught:
        source(tmp_path).pin("token 'a'")
    assert caught.value.where == "token 'a'"
