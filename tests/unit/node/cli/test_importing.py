"""``hashpact import``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from commands import Commands
from hashpact_node.services.publishing import Publisher
from hashpact_node.store.locks import HomeLock


def line(number: int, **fields: object) -> str:
    return json.dumps({"content": "image", "signals": [{"type": "sha256", "value": f"{number:064x}"}], **fields})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "hashes.ndjson"
    path.write_text("\n".join(map(line, range(3))) + "\n")
    return path


def test_an_import_adds_nothing_the_second_time(acme: Commands, file: Path) -> None:
    assert acme("import", str(file)).stdout == "3 listings imported of 3 lines\n"
    again = acme("import", str(file)).stdout.splitlines()
    assert again == ["0 listings imported of 3 lines", "3 lines had been imported before"]
    assert acme.json("import", str(file))["resumed"] == 3
    assert acme.json("status")["blocklist"]["block"] == 3


def test_csv_with_what_its_lines_do_not_say(acme: Commands, tmp_path: Path) -> None:
    path = tmp_path / "hashes.csv"
    path.write_text(f"type,value\nsha256,{1:064x}\n")
    arguments = ("import", str(path), "--content", "video", "--confirmed", "human")
    assert acme.json(*arguments)["imported"] == 1


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("md5", "0" * 31),
        ("sha1", "0" * 41),
        ("sha256", "A" * 64),
        ("sha512", "0" * 64),
        ("pdq", "zz"),
        ("tlsh", "0" * 70),
        ("url_sha256", "https://example.org"),
        ("photodna", "0" * 64),
        ("vpdq", "0" * 64),
        ("tmk", "0" * 64),
        ("Unknown", "x"),
        ("unknown", "white space"),
    ],
)
def test_a_malformed_hash_is_told_by_its_line_and_nothing_is_imported(
    acme: Commands, file: Path, kind: str, value: str
) -> None:
    signal = {"type": kind, "value": value} | ({"quality": 90} if kind == "pdq" else {})
    file.write_text(f"{line(1)}\n{line(2, signals=[signal])}\n{line(3)}\n")
    error = acme.error("import", str(file), code=2)
    assert "1 line is wrong, so nothing was imported" in error["what"]
    assert "line 2" in error["what"]
    assert error["where"] == str(file)
    assert acme.json("status")["queue"] == 0
    kept = acme.json("import", str(file), "--keep-going", code=2)
    assert (kept["imported"], kept["skipped"]) == (2, 1)
    assert "line 2" in kept["errors"][0]


def test_lines_are_told_on_lines_of_their_own(acme: Commands, file: Path) -> None:
    file.write_text("\n".join(["{", *("[]" for _ in range(120))]))
    said = acme("import", str(file), code=2).stderr.splitlines()
    assert said[0] == "error: 121 lines are wrong, so nothing was imported:"
    assert said[1].startswith("  line 1")
    assert "… and 21 more" in "\n".join(said)
    said = acme("import", str(file), "--keep-going", code=2).stderr.splitlines()
    assert said[-1] == "warning: … and 21 more wrong lines"


def test_material_of_others_needs_a_yes(acme: Commands, file: Path) -> None:
    file.write_text(line(1, origin="beta"))
    assert "--allow-foreign-origin" in acme.error("import", str(file), code=2)["what"]
    assert acme.json("import", str(file), "--allow-foreign-origin")["imported"] == 1


def test_no_such_file(acme: Commands, tmp_path: Path) -> None:
    assert acme.error("import", str(tmp_path / "none.csv"), code=2)["where"].endswith("none.csv")
    assert acme.error("import", str(tmp_path / "hashes.txt"), code=2)["where"].endswith("hashes.txt")


def test_what_waits_for_a_running_node_is_told(acme: Commands, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(Publisher.__init__.__kwdefaults__, "wait_seconds", 0.1)  # type: ignore[arg-type]  # it has some
    with HomeLock(acme.home).shared():
        assert "all lines are stored and wait" in acme("import", str(file), code=4).stderr


def test_a_whole_file_may_have_evidential_value(acme: Commands, tmp_path: Path) -> None:
    plain = tmp_path / "plain.ndjson"
    plain.write_text("\n".join([line(1), line(2, preserve=False)]) + "\n")
    table = tmp_path / "table.csv"
    table.write_text(
        f"type,value,content,preserve\nsha256,{3:064x},image,TRUE\nsha256,{4:064x},image,false\n"
        f"sha256,{5:064x},image,\n"
    )
    acme("import", str(plain), "--preserve")
    acme("import", str(table))
    found = {one["value"]: one["preserve"] for one in acme.json("blocklist", "show")["signals"]}
    assert found == {f"{number:064x}": number in {1, 3} for number in range(1, 6)}
    table.write_text(f"type,value,content,preserve\nsha256,{6:064x},image,yes\n")
    assert "preserve: is neither true nor false" in acme.error("import", str(table), code=2)["what"]
