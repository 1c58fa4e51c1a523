"""``hashpact explain``."""

from __future__ import annotations

from pathlib import Path

from commands import Commands, picture

NOBODY = f"sha256:{'0' * 64}"


def test_a_file_a_signal_and_a_listing_are_explained(acme: Commands, tmp_path: Path) -> None:
    file = picture(tmp_path / "a.png", 1)
    listing = acme.json("publish", str(file), "--label", "behaviour:glorification")["listings"][0]["id"]
    shown = acme("explain", str(file)).stdout
    assert shown.startswith(f"{file}: BLOCK\n")
    for words in (
        "rule own-listing: this company lists it itself",
        "acme (this company) since",
        "image; behaviour:glorification",
        f"listing {listing}, entry 0 of",
        "none    if acme withdraws it",
        f"acme listed {listing}",
        "nobody has said",
    ):
        assert words in shown, words
    told = acme.json("explain", str(file))
    assert (told["kind"], told["action"], told["known"]) == ("file", "block", True)
    signal = next(one for one in told["signals"] if one["type"] == "sha256")
    alone = acme.json("explain", f"sha256:{signal['value']}", "--no-history")
    assert alone["signals"][0]["history"] == []
    assert alone["signals"][0]["said"][0]["listing"] == listing
    acme("withdraw", listing, "--reason", "error")
    after = acme("explain", listing).stdout
    assert f"{listing}: NONE" in after
    assert "History of the listing" in after
    assert f"acme withdrew {listing} (error)" in after


def test_a_statement_of_reasons_is_json(acme: Commands, tmp_path: Path) -> None:
    file = picture(tmp_path / "a.png", 1)
    acme("publish", str(file))
    made = acme.json("explain", str(file), "--format", "dsa")
    assert made["statement"]["source_type"] == "SOURCE_VOLUNTARY"
    assert made["statement"]["automated_detection"] == "Yes"
    assert "decision_ground" in made["to_add"]


def test_what_nobody_lists_ends_with_3(acme: Commands, tmp_path: Path) -> None:
    assert "not listed" in acme("explain", NOBODY, code=3).stdout
    told = acme.json("explain", NOBODY, code=3)
    assert (told["known"], told["signals"]) == (False, [])
    assert "not listed" in acme("explain", str(picture(tmp_path / "b.png", 2)), code=3).stdout
    missing = "6f1c2f0e-6f5c-4b0e-9d0a-0f6d2a1b3c4d"
    assert acme.error("explain", missing, code=3)["where"] == missing


def test_what_cannot_be_is_said(acme: Commands) -> None:
    assert "no file, no signal" in acme.error("explain", "nothing", code=2)["what"]
    assert acme.error("explain", "sha256:short", code=2)["what"]
