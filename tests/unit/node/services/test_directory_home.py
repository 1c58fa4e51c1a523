from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from hashpact_keys.keystore import KeyStore
from hashpact_keys.rows import TrustRole
from hashpact_keys.trust_files import TIMESTAMP_FILE
from hashpact_node.services import directory_home
from hashpact_node.services.directory_home import TRUST, DirectoryHome
from hashpact_node.services.whole_files import write_whole
from hashpact_protocol.card import Card
from hashpact_protocol.directory import Standing
from hashpact_protocol.errors import (
    ConfigurationError,
    ConflictError,
    DirectoryError,
    KeyUnavailableError,
    MemberNameError,
    NotFoundError,
)
from members import uuid_of
from secretariat import FINGERPRINT, Secretariat


@pytest.fixture
def kept(tmp_path: Path) -> Secretariat:
    return Secretariat(tmp_path)


def test_a_directory_is_made_and_changed(kept: Secretariat) -> None:
    directory, state = kept.home.state()
    assert (directory.name, directory.members, state.fingerprint) == ("A Consortium", (), kept.fingerprint)
    kept.home.admit("beta", "https://beta.example", FINGERPRINT)
    kept.home.admit("acme", "https://acme.example/hash", FINGERPRINT)
    kept.later(hours=1)
    kept.home.suspend("beta", "its key was stolen")
    directory, later = kept.home.state()
    assert [(one.member, one.standing, one.since, one.reason) for one in directory.members] == [
        ("acme", Standing.ADMITTED, "2026-11-24T04:00:00Z", None),
        ("beta", Standing.SUSPENDED, "2026-11-24T05:00:00Z", "its key was stolen"),
    ]
    assert later.card_version > state.card_version
    kept.home.readmit("beta")
    beta = kept.home.state()[0].find("beta")
    assert beta is not None
    assert (beta.standing, beta.reason) == (Standing.ADMITTED, None)
    other = f"2:sha256:{'b' * 64}"
    kept.home.admit("beta", "https://beta.example", other)
    assert [one.fingerprint for one in kept.home.state()[0].members] == [FINGERPRINT, other]


def test_incidents_are_called_active_and_no_more(kept: Secretariat) -> None:
    for incident in (uuid_of(2), uuid_of(1)):
        kept.home.activate(incident)
    assert kept.home.state()[0].incidents == (uuid_of(1), uuid_of(2))
    kept.home.admit("beta", "https://beta.example", FINGERPRINT)
    kept.home.conclude(uuid_of(1))
    directory = kept.home.state()[0]
    assert (directory.incidents, len(directory.members)) == ((uuid_of(2),), 1)
    with pytest.raises(ConflictError, match="active already"):
        kept.home.activate(uuid_of(2))
    with pytest.raises(NotFoundError, match="no such incident"):
        kept.home.conclude(uuid_of(1))
    with pytest.raises(DirectoryError, match="no UUID"):
        kept.home.activate("fire")
    assert kept.home.state()[0] == directory


def test_what_cannot_be_is_refused_and_changes_nothing(kept: Secretariat) -> None:
    home = kept.home
    home.admit("beta", "https://beta.example", FINGERPRINT)
    before = home.state()
    with pytest.raises(ConflictError, match="admitted so already"):
        home.admit("beta", "https://beta.example", FINGERPRINT)
    with pytest.raises(ConflictError, match="admitted already"):
        home.readmit("beta")
    for change in (home.suspend, home.readmit):
        with pytest.raises(NotFoundError, match="gamma is not listed"):
            change("gamma")
    for member, url, pin in (
        ("Beta", "https://b.example", FINGERPRINT),
        ("gamma", "http://gamma.example", FINGERPRINT),
        ("gamma", "https://gamma.example", "1:sha256:00"),
    ):
        with pytest.raises(MemberNameError):
            home.admit(member, url, pin)
    with pytest.raises(DirectoryError, match="begin alike"):
        home.admit("gamma", "https://beta.example/gamma", FINGERPRINT)
    home.admit("delta", "https://delta.example", FINGERPRINT)
    home.suspend("delta", "theft")
    suspended = home.state()
    for url in ("https://delta.example", "https://elsewhere.example"):
        with pytest.raises(ConflictError, match="delta is suspended: theft") as caught:
            home.admit("delta", url, FINGERPRINT)
        assert "readmit delta` first" in str(caught.value.mend)
    assert home.state() == suspended
    before = suspended
    with pytest.raises(DirectoryError, match="reason"):
        home.suspend("beta", "x" * 257)
    assert home.state() == before
    with pytest.raises(ConflictError, match="in use already"):
        home.found("Another")


def test_whom_a_member_may_be_taken_for_among_those_listed_is_told(kept: Secretariat) -> None:
    def cautions(member: str, name: str, url: str, fingerprint: str = f"1:sha256:{'c' * 64}") -> list[str]:
        return kept.home.cautions(Card(member, name, url, (), (), (), ()), fingerprint)

    kept.home.admit("gamma", "https://gamma.example", FINGERPRINT)
    assert cautions("delta", "Delta", "https://delta.example") == []
    assert cautions("gamma", "Gamma", "https://gamma.example", FINGERPRINT) == [], "nobody is taken for itself"
    assert cautions("garnma", "Garnma", "https://garnma.example", FINGERPRINT) == [
        "the id garnma may be taken for gamma, which is known here",
        "the address garnma.example may be taken for that of gamma",
        "the name Garnma may be taken for gamma",
        "gamma is listed under the same root",
    ]
    assert "xn--cme-5cd" in cautions("delta", "Delta", "https://xn--cme-5cd.example")[0]


def test_a_folder_without_one_says_so(tmp_path: Path) -> None:
    home = DirectoryHome(tmp_path, KeyStore(tmp_path, lambda: b"x"), Secretariat(tmp_path / "other").now)
    with pytest.raises(ConfigurationError, match="no directory in this folder"):
        home.state()
    (tmp_path / "node.toml").touch()
    with pytest.raises(ConflictError, match="in use already"):
        home.found("A Consortium")


def test_what_fails_half_way_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = DirectoryHome(tmp_path, KeyStore(tmp_path, lambda: b"", kdf_rounds=1), Secretariat(tmp_path / "other").now)
    with pytest.raises(KeyUnavailableError, match="passphrase"):
        home.found("A Consortium")
    with pytest.raises(DirectoryError, match="name"):
        home.found("")
    home = DirectoryHome(tmp_path, KeyStore(tmp_path, lambda: b"x", kdf_rounds=1), home.now)

    def fail(*_arguments: object) -> None:
        (tmp_path / TRUST).mkdir()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(directory_home, "write_repository", fail)
        with pytest.raises(KeyboardInterrupt):
            home.found("A Consortium")
    assert home.found("A Consortium").startswith("1:sha256:")


def test_what_is_published_is_renewed_and_old_files_go(kept: Secretariat, tmp_path: Path) -> None:
    www = tmp_path / "www"
    state = kept.home.publish(www)
    timestamp = www / TRUST / "/".join(TIMESTAMP_FILE)
    first = timestamp.read_bytes()
    assert state.fingerprint == kept.fingerprint
    kept.home.publish(www)
    assert timestamp.read_bytes() == first, "nothing was due"
    kept.later(hours=13)
    until = {role.role: role.expires for role in kept.home.publish(www).roles}[TrustRole.TIMESTAMP]
    assert timestamp.read_bytes() != first
    assert until == kept.now() + timedelta(days=1)
    (www / TRUST / "targets" / "index.html").write_text("not ours")
    for number in range(4):
        kept.later(minutes=1)
        kept.home.admit(f"m{number}", f"https://m{number}.example", FINGERPRINT)
        kept.home.publish(www)
    names = sorted(path.name.split(".", 1)[1] for path in (www / TRUST).rglob("*") if path.is_file())
    assert names == [
        "directory.json",
        "directory.json",
        "html",
        "json",
        "root.json",
        "snapshot.json",
        "snapshot.json",
        "targets.json",
        "targets.json",
    ]


def test_a_reader_finds_what_a_file_names(kept: Secretariat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []

    def watch(target: Path, data: bytes) -> None:
        written.append(target.name)
        write_whole(target, data)

    monkeypatch.setattr(directory_home, "write_whole", watch)
    kept.home.publish(tmp_path / "www")
    assert written[0].endswith(".directory.json")
    assert written[-1] == "timestamp.json"
