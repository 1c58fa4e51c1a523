from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from hashpact_node.services import doctor
from hashpact_node.services.doctor import SUBJECTS, Subject, check_settings, examine, worst
from hashpact_node.services.doctor_kinds import Diagnosis, Level, diagnosis, well
from hashpact_node.services.doctor_visit import Visit
from hashpact_node.settings import Settings
from hashpact_node.store.database import Database
from hashpact_protocol.errors import TrustError
from own_member import NOW, OwnMember, found_member


@pytest.fixture
def acme(sqlite_database: Database, tmp_path: Path) -> OwnMember:
    return found_member(sqlite_database, tmp_path / "home", sqlite_database.where)


def subjects(monkeypatch: pytest.MonkeyPatch, *several: Subject) -> None:
    monkeypatch.setattr(doctor, "SUBJECTS", several)


def test_every_subject_is_told_in_order_even_one_that_fails(acme: OwnMember, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(_visit: Visit) -> Iterable[Diagnosis]:
        yield well("so far")
        raise TrustError("the root is damaged")

    def sees(visit: Visit) -> Iterable[Diagnosis]:
        assert visit.usable.is_sqlite
        assert visit.running
        return [diagnosis("alarm-open"), well("that")]

    subjects(
        monkeypatch,
        Subject("broken", breaks, asks_database=True),
        Subject("seen", sees, asks_database=True),
        Subject("quiet", lambda _visit: []),
    )
    found = examine(acme.settings, lambda: NOW, running=True)
    assert [(one.subject, one.level.value, one.code) for one in found] == [
        ("broken", "error", "check-failed"),
        ("seen", "warning", "alarm-open"),
        ("seen", "ok", "ok"),
        ("quiet", "ok", "ok"),
    ]


def test_what_needs_the_database_says_so_where_there_is_none(
    acme: OwnMember, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = {"url", "tls", "outsiders", "peers", "clock"}
    subjects(monkeypatch, *(one for one in SUBJECTS if one.name not in network or one.asks_database))
    found = examine(replace(acme.settings, database_url=f"sqlite:///{tmp_path / 'none'}"), lambda: NOW)
    assert [one.code for one in found if one.subject == "database"] == ["database-missing"]
    needed = {one.subject for one in found if one.code == "database-needed"}
    assert needed == {one.name for one in SUBJECTS if one.asks_database}
    assert worst(found) is Level.ERROR


def test_nothing_of_the_home_is_changed(acme: OwnMember, monkeypatch: pytest.MonkeyPatch) -> None:
    network = {"url", "tls", "outsiders", "peers", "clock"}
    subjects(monkeypatch, *(one for one in SUBJECTS if one.name not in network))
    before = {path: path.stat().st_mtime_ns for path in acme.home.rglob("*")}
    file = acme.database.file
    assert file is not None
    content = file.read_bytes()
    assert examine(acme.settings, lambda: NOW)
    assert {path: path.stat().st_mtime_ns for path in acme.home.rglob("*")} == before
    assert file.read_bytes() == content


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ([], Level.OK),
        ([Level.OK, Level.NOTE], Level.NOTE),
        ([Level.WARNING, Level.NOTE], Level.WARNING),
        ([Level.WARNING, Level.ERROR, Level.OK], Level.ERROR),
    ],
)
def test_the_gravest_counts(levels: list[Level], expected: Level) -> None:
    assert worst(Diagnosis(level, "code", "what") for level in levels) is expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://acme.example", []),
        ("http://127.0.0.1:8470", ["url-on-loopback"]),
        ("http://[::1]:8470", ["url-on-loopback"]),
        ("https://localhost/pact", ["url-on-loopback"]),
    ],
)
def test_settings(tmp_path: Path, url: str, expected: list[str]) -> None:
    settings = Settings(home=tmp_path, member="acme", url=url)
    assert [one.code for one in check_settings(Visit(settings, lambda: NOW, None, None))] == expected
