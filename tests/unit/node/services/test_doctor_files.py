from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from hashpact_node.services.doctor_files import (
    FREE_ERROR,
    FREE_WARNING,
    INODES_WARNING,
    Room,
    check_disk,
    check_files,
    judge_room,
    judge_secret,
)
from hashpact_node.services.doctor_kinds import Diagnosis, Level
from hashpact_node.services.doctor_visit import Visit
from hashpact_node.settings import Settings
from hashpact_node.store.database import Database
from own_member import NOW

LARGE = 100 * FREE_WARNING


def visit(
    home: Path, database: Database | None = None, secrets: tuple[Path, ...] = (), **settings: Path | str
) -> Visit:
    told = replace(Settings(home=home, member="acme", url="https://acme.example"), **settings)  # type: ignore[arg-type]  # as tests give them
    return Visit(told, lambda: NOW, database, None, secrets)


def codes(found: list[Diagnosis]) -> list[tuple[str, str]]:
    return [(one.level.value, one.code) for one in found if one.level is not Level.OK]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    (folder / "node.toml").write_text('member = "acme"\n')
    return folder


@pytest.mark.parametrize(
    ("free", "total", "files", "expected"),
    [
        (LARGE, 2 * LARGE, None, []),
        (FREE_WARNING, LARGE, INODES_WARNING, []),
        (FREE_WARNING - 1, LARGE, None, [("warning", "disk-nearly-full")]),
        (FREE_ERROR, LARGE, None, [("warning", "disk-nearly-full")]),
        (FREE_ERROR - 1, LARGE, None, [("error", "disk-nearly-full")]),
        (FREE_ERROR, FREE_ERROR * 10, None, []),  # a small disk, of which a tenth is left
        (FREE_ERROR, FREE_ERROR * 11, None, [("warning", "disk-nearly-full")]),
        (FREE_ERROR - 1, FREE_ERROR, None, [("error", "disk-nearly-full")]),
        (LARGE, LARGE, INODES_WARNING - 1, [("warning", "inodes-nearly-gone")]),
    ],
)
def test_room(free: int, total: int, files: int | None, expected: list[tuple[str, str]]) -> None:
    found = list(judge_room(Room(free, total, files), Path("/home")))
    assert codes(found) == expected


def test_the_disks_of_home_and_database_are_looked_at_once_each(home: Path, sqlite_database: Database) -> None:
    found = list(check_disk(visit(home, sqlite_database)))
    assert len([one for one in found if one.code in {"ok", "disk-nearly-full"}]) == 1


def test_a_home_that_is_shut_is_well(home: Path) -> None:
    assert list(check_files(visit(home))) == []


def test_a_home_that_others_may_look_into_is_told(home: Path) -> None:
    home.chmod(0o750)
    (found,) = check_files(visit(home))
    assert (found.code, found.what, found.mend) == (
        "home-readable",
        "other users may look into the home (mode 0750)",
        f"run `chmod 700 {home}`",
    )


def test_a_database_elsewhere_is_looked_at_too(home: Path, sqlite_database: Database) -> None:
    file = sqlite_database.file
    assert file is not None
    file.parent.chmod(0o755)
    file.chmod(0o644)
    (found,) = check_files(visit(home, sqlite_database))
    assert (found.code, found.where) == ("home-readable", str(file))
    file.parent.chmod(0o700)
    assert list(check_files(visit(home, sqlite_database))) == []


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602])
def test_a_secret_that_others_may_read_or_change_is_an_error(tmp_path: Path, mode: int) -> None:
    secret = tmp_path / "secret"
    secret.write_text("synthetic secret")
    secret.chmod(mode)
    (found,) = judge_secret(secret)
    assert (found.level, found.code, found.where) == (Level.ERROR, "secret-readable", str(secret))
    assert "synthetic" not in f"{found}"
    secret.chmod(0o600)
    assert list(judge_secret(secret)) == []


def test_every_file_that_holds_a_secret_is_looked_at(home: Path, tmp_path: Path) -> None:
    secrets = {name: tmp_path / name for name in ("passphrase", "tls.key", "pin")}
    for path in secrets.values():
        path.write_text("synthetic secret")
        path.chmod(0o644)
    looked = visit(
        home,
        None,
        (secrets["pin"], tmp_path / "gone"),
        passphrase_file=secrets["passphrase"],
        tls_key=secrets["tls.key"],
    )
    found = {one.where: one.code for one in check_files(looked)}
    assert found == {
        **{str(path): "secret-readable" for path in secrets.values()},
        str(tmp_path / "gone"): "secret-missing",
    }


def test_node_toml_is_a_secret_where_it_holds_the_database_s_password(home: Path) -> None:
    url = "postgresql://acme:synthetic@db.example/acme"
    looked = visit(home, database_url=url)
    (home / "node.toml").chmod(0o644)
    assert list(check_files(looked)) == []  # the environment says it
    (home / "node.toml").write_text(f'database_url = "{url}"\n')
    (found,) = check_files(looked)
    assert (found.code, found.where) == ("secret-readable", str(home / "node.toml"))
    (home / "node.toml").chmod(0o600)
    assert list(check_files(looked)) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_file_of_another_user_is_told(home: Path) -> None:
    os.chown(home / "node.toml", 12_345, -1)
    (found,) = check_files(visit(home))
    assert (found.code, found.where) == ("owner-differs", str(home / "node.toml"))


def test_a_home_of_another_user_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: home.stat().st_uid + 1)
    (found,) = check_files(visit(home))
    assert (found.code, found.where) == ("owner-differs", str(home))
