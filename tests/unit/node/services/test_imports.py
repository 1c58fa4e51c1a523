from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from hashpact_node.services import imports
from hashpact_node.services.blobs import Blobs
from hashpact_node.services.entries import EntryReader
from hashpact_node.services.imports import Importer, ImportOptions, ImportProgress
from hashpact_node.store.database import Database
from hashpact_node.store.imports import imported_lines, set_imported_lines
from hashpact_node.store.queue import count_entries
from hashpact_protocol.blobs import blob_signal
from hashpact_protocol.errors import ConflictError, NotFoundError, RequestError, StoreFullError
from hashpact_protocol.statements import Listing, parse_statement
from own_member import NOW, OwnMember

FRAMES = b"%064x,98,1.250\n" % 7
VPDQ = blob_signal("vpdq", FRAMES)


def line(number: int, **fields: object) -> str:
    signal = {"type": "sha256", "value": f"{number:064x}"}
    return json.dumps({"content": "image", "labels": ["a:b"], "signals": [signal], **fields})


@pytest.fixture
def importer(acme: OwnMember) -> Importer:
    return Importer(acme.database, acme.publisher, lambda: NOW)


def write(folder: Path, *lines: str, name: str = "file.ndjson") -> Path:
    path = folder / name
    path.write_text("".join(f"{one}\n" for one in lines), encoding="utf-8")
    return path


def values(acme: OwnMember) -> list[str]:
    """Give the first signal of every released listing, in order."""
    log = acme.log
    with acme.database.read() as connection:
        reader = EntryReader(connection)
        found = [parse_statement(reader.entry(log.number, at), "listings") for at in range(log.accepted_size)]
    return [one.signals[0].value for one in found if isinstance(one, Listing)]


def waiting(acme: OwnMember) -> int:
    with acme.database.read() as connection:
        return count_entries(connection)


def test_a_file_is_imported_in_order_and_once(
    acme: OwnMember, importer: Importer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "CHUNK_LINES", 100)
    path = write(tmp_path, *(line(number) for number in range(950)))
    seen: list[ImportProgress] = []
    report = importer.import_file(path, progress=seen.append)
    assert (report.lines, report.imported, report.resumed, report.skipped) == (950, 950, 0, 0)
    assert report.notice is None
    assert values(acme) == [f"{number:064x}" for number in range(950)]
    assert [one.lines for one in seen if one.step == "importing"] == [*range(100, 950, 100), 950]
    assert seen[-1].step == "releasing"
    assert all(one.total_bytes == path.stat().st_size >= one.read_bytes for one in seen)
    again = importer.import_file(path)
    assert (again.lines, again.imported, again.resumed) == (950, 0, 950)
    assert acme.log.accepted_size == 950


def test_an_import_that_was_stopped_goes_on(
    acme: OwnMember, importer: Importer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "CHUNK_LINES", 100)
    path = write(tmp_path, *(line(number) for number in range(450)))

    def stop(progress: ImportProgress) -> None:
        if progress.step == "importing" and progress.lines == 200:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        importer.import_file(path, progress=stop)
    assert waiting(acme) == 200
    report = importer.import_file(path)
    assert (report.lines, report.resumed, report.imported) == (450, 200, 250)
    assert values(acme) == [f"{number:064x}" for number in range(450)]


def test_what_a_killed_import_left_waiting_is_released_by_the_next(
    acme: OwnMember, importer: Importer, tmp_path: Path
) -> None:
    path = write(tmp_path, line(1))
    importer.import_file(path, ImportOptions(wait=False))
    assert waiting(acme) == 1
    assert importer.import_file(path).resumed == 1
    assert len(values(acme)) == 1
    assert Importer(acme.database, acme.lazy_publisher(), lambda: NOW).import_file(path).notice is None


def test_a_chunk_that_cannot_be_stored_leaves_no_progress(
    acme: OwnMember, importer: Importer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, line(1))

    def full(*_arguments: object, **_named: object) -> None:
        raise StoreFullError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(imports, "set_imported_lines", full)
        with pytest.raises(StoreFullError):
            importer.import_file(path)
    assert waiting(acme) == 0
    assert importer.import_file(path).imported == 1


def test_nothing_is_imported_while_lines_are_wrong(acme: OwnMember, importer: Importer, tmp_path: Path) -> None:
    wrong = [line(number, expires="soon") for number in range(120)]
    path = write(tmp_path, line(1), "{", *wrong, line(2, origin="gifct"))
    with pytest.raises(RequestError) as caught:
        importer.import_file(path)
    assert caught.value.where == str(path)
    lines = caught.value.what.splitlines()
    assert lines[0] == "122 lines are wrong, so nothing was imported:"
    assert lines[1].startswith("line 2: is no JSON")
    assert lines[2] == "line 3: expires: is no time of the form YYYY-MM-DDThh:mm:ssZ"
    assert (len(lines), lines[-1]) == (102, "… and 22 more")
    assert waiting(acme) == 0


def test_wrong_lines_may_be_passed_over(acme: OwnMember, importer: Importer, tmp_path: Path) -> None:
    path = write(tmp_path, line(1), "{", line(2, expires="soon"), line(3, origin="gifct"), line(4, note="ü\n\\"))
    report = importer.import_file(path, ImportOptions(keep_going=True))
    assert (report.lines, report.imported, report.skipped) == (5, 2, 3)
    assert [error.partition(":")[0] for error in report.errors] == ["line 2", "line 3", "line 4"]
    assert len(values(acme)) == 2
    assert importer.import_file(path, ImportOptions(keep_going=True)).imported == 0


def test_a_foreign_origin_needs_a_yes(acme: OwnMember, importer: Importer, tmp_path: Path) -> None:
    path = write(tmp_path, line(1, origin="gifct"))
    with pytest.raises(RequestError, match="line 1: this is material of 'gifct'"):
        importer.import_file(path)
    assert importer.import_file(path, ImportOptions(allow_foreign_origin=True)).imported == 1
    other = write(tmp_path, line(2), name="other.ndjson")
    with pytest.raises(RequestError, match="line 1: this is material of 'gifct'"):
        importer.import_file(other, ImportOptions(defaults={"origin": "gifct"}))
    assert len(values(acme)) == 1


def test_what_is_written_is_what_was_said(acme: OwnMember, importer: Importer, tmp_path: Path) -> None:
    signals = [
        {"type": "pdq", "value": "ab" * 32, "quality": 7},
        {"type": "sha256", "value": "cd" * 32, "quality": 9},
        {"type": "vpdq", "sha256": VPDQ.value, "length": VPDQ.blob_length},
        {"type": "pdq", "value": "ab" * 32, "quality": 70},
    ]
    missing = write(tmp_path, line(1), line(2, signals=signals), name="missing.ndjson")
    with pytest.raises(RequestError, match="line 2: the blob of type vpdq"):
        importer.import_file(missing)
    Blobs(acme.database, lambda: NOW).put("vpdq", FRAMES)
    fields = {"handling": "members", "origin": "own", "preserve": False, "confirmed": "human", "note": 'a "word"'}
    importer.import_file(write(tmp_path, line(1, **fields), line(2, signals=signals, handling="no-reshare")))
    with acme.database.read() as connection:
        reader = EntryReader(connection)
        first, second = (reader.entry(acme.log.number, at) for at in range(2))
    assert sorted(json.loads(first)) == ["confirmed", "content", "id", "kind", "labels", "note", "signals", "time"]
    listing = parse_statement(second, "listings")
    assert isinstance(listing, Listing)
    assert [(one.type, one.quality) for one in listing.signals] == [("pdq", 70), ("sha256", None), ("vpdq", None)]
    assert b'"quality":9' not in second
    assert listing.handling == "no-reshare"


def test_csv_is_imported_too(acme: OwnMember, importer: Importer, tmp_path: Path) -> None:
    path = write(tmp_path, "type,value,quality", f"pdq,{7:064x},90", f"sha256,{8:064x},", name="file.csv")
    with pytest.raises(RequestError, match="line 3: content: is missing"):
        importer.import_file(path)
    assert importer.import_file(path, ImportOptions(defaults={"content": "image"})).imported == 2
    assert values(acme) == [f"{7:064x}", f"{8:064x}"]


def test_where_a_node_runs_it_releases(acme: OwnMember, tmp_path: Path) -> None:
    importer = Importer(acme.database, acme.lazy_publisher(), lambda: NOW)
    report = importer.import_file(write(tmp_path, line(1)))
    assert report.notice is not None
    assert "wait to be released" in report.notice
    assert waiting(acme) == 1
    unhurried = importer.import_file(write(tmp_path, line(2)), ImportOptions(wait=False))
    assert unhurried.notice is None


def test_files_and_logs_that_are_not_there_are_said(importer: Importer, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="cannot be read"):
        importer.import_file(tmp_path / "missing.ndjson")
    with pytest.raises(NotFoundError, match="no open log"):
        importer.import_file(write(tmp_path, line(1)), ImportOptions(log_name="crisis"))


def test_two_imports_of_one_file_do_not_double_it(
    acme: OwnMember, importer: Importer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "CHUNK_LINES", 1)
    path = write(tmp_path, line(1), line(2))

    def meanwhile(progress: ImportProgress) -> None:
        if progress.step == "importing" and progress.lines == 1:
            importer.import_file(path)

    with pytest.raises(RequestError, match="another process imports the same file"):
        importer.import_file(path, progress=meanwhile)
    assert len(values(acme)) == 2


def test_progress_is_kept_by_source(database: Database) -> None:
    with database.write() as connection:
        assert imported_lines(connection, "listings/ab") == 0
        set_imported_lines(connection, "listings/ab", 7, now=NOW)
        set_imported_lines(connection, "listings/ab", 9, now=NOW)
        assert imported_lines(connection, "listings/ab") == 9
        assert imported_lines(connection, "crisis/ab") == 0


def test_a_folder_is_no_file(importer: Importer, tmp_path: Path) -> None:
    os.mkdir(tmp_path / "folder.csv")  # noqa: PTH102  beside what a user types
    with pytest.raises(RequestError, match="cannot be read"):
        importer.import_file(tmp_path / "folder.csv")


def test_a_file_with_other_defaults_is_refused(acme: OwnMember, importer: Importer, tmp_path: Path) -> None:
    path = write(tmp_path, json.dumps({"signals": [{"type": "sha256", "value": "ab" * 32}]}))
    video = ImportOptions(defaults={"content": "video"})
    assert importer.import_file(path, video).imported == 1
    assert importer.import_file(path, video).imported == 0
    for other in ({"content": "image"}, {"content": "video", "confirmed": "human"}):
        with pytest.raises(ConflictError, match="imported with --content=video"):
            importer.import_file(path, ImportOptions(defaults=other))
    assert values(acme) == ["ab" * 32]
    whole = write(tmp_path, line(1), name="whole.ndjson")
    assert importer.import_file(whole).imported == 1
    with pytest.raises(ConflictError, match="no defaults"):
        importer.import_file(whole, video)
