from __future__ import annotations

import os
from pathlib import Path

import pytest

from hashpact_keys.rows import RowName
from hashpact_node.services.key_places import KeyPlaces
from hashpact_node.setting_forms import DEFAULT_KEYS
from hashpact_node.settings import NODE_TOML, load_settings
from hashpact_protocol.errors import ConfigurationError

WRITTEN = """# our node
member = "acme"  # the short name

[keys]
crisis = "file:keys/crisis-3.key"  # since the drill
"""


def places(home: Path, **environment: str) -> KeyPlaces:
    return KeyPlaces(load_settings(environment, home))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / NODE_TOML).write_text(WRITTEN)
    (tmp_path / NODE_TOML).chmod(0o640)
    return tmp_path


def test_a_key_is_added_before_the_others_and_all_else_stays_as_it_was_written(home: Path) -> None:
    found = places(home)
    found.add(RowName.RELEASE, "file:keys/release-2.key")
    text = (home / NODE_TOML).read_text()
    assert text.startswith(WRITTEN)
    assert (home / NODE_TOML).stat().st_mode & 0o777 == 0o640
    assert found["release"] == ("file:keys/release-2.key", "file:keys/release.key")
    assert load_settings({}, home).keys == dict(found)
    assert dict(found) == {**DEFAULT_KEYS, "crisis": ("file:keys/crisis-3.key",), "release": found["release"]}
    assert [path.name for path in home.iterdir()] == [NODE_TOML]


def test_a_key_is_taken_out_to_the_last(home: Path) -> None:
    found = places(home)
    found.add(RowName.TARGETS, "file:keys/targets-2.key")
    found.remove(RowName.TARGETS, "file:keys/targets.key")
    assert found["targets"] == ("file:keys/targets-2.key",)
    found.remove(RowName.TARGETS, "file:keys/targets-2.key")
    assert found["targets"] == load_settings({}, home).keys["targets"] == ()


def test_what_returns_to_its_default_is_not_written(tmp_path: Path) -> None:
    (tmp_path / NODE_TOML).write_text('member = "acme"\n')
    found = places(tmp_path)
    found.add(RowName.WITNESS, "file:keys/witness-2.key")
    found.remove(RowName.WITNESS, "file:keys/witness-2.key")
    assert "keys" not in (tmp_path / NODE_TOML).read_text()
    found.remove(RowName.WITNESS, "file:keys/never.key")
    assert found["witness"] == DEFAULT_KEYS["witness"]


def test_a_running_node_hears_what_a_command_writes(home: Path) -> None:
    running, command = places(home), places(home)
    assert running["release"] == DEFAULT_KEYS["release"]
    command.add(RowName.RELEASE, "file:keys/release-2.key")
    assert running["release"] == command["release"]
    assert (len(running), set(running)) == (7, set(DEFAULT_KEYS))


def test_a_file_that_is_spoilt_meanwhile_changes_nothing(home: Path) -> None:
    running = places(home)
    (home / NODE_TOML).write_text("keys = 7\n")
    assert running["crisis"] == ("file:keys/crisis-3.key",)
    with pytest.raises(ConfigurationError, match="no table of key URIs"):
        load_settings({}, home)
    (home / NODE_TOML).unlink()
    assert running["crisis"] == DEFAULT_KEYS["crisis"]


def test_the_key_of_an_audience_s_log_stands_beside_the_rows(home: Path) -> None:
    found = places(home)
    found.add("listings-5b0d", "file:keys/listings-5b0d.key")
    assert found["listings-5b0d"] == places(home)["listings-5b0d"] == ("file:keys/listings-5b0d.key",)
    found.remove("listings-5b0d", "file:keys/listings-5b0d.key")
    assert "listings-5b0d" not in found
    assert (home / NODE_TOML).read_text() == WRITTEN
    with pytest.raises(ConfigurationError, match="no row 'listing-5b0d'"):
        places(home, HASHPACT_KEYS="listing-5b0d=file:a")


def test_keys_of_the_environment_are_left_to_whoever_set_it(home: Path) -> None:
    found = places(home, HASHPACT_KEYS="release=file:a,release=file:b,root=")
    assert (found["release"], found["root"]) == (("file:a", "file:b"), ())
    with pytest.raises(ConfigurationError, match="set by the environment"):
        found.add(RowName.RELEASE, "file:c")
    assert (home / NODE_TOML).read_text() == WRITTEN


def test_a_file_that_cannot_be_written_stays_whole(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigurationError, match="No space left"):
        places(home).add(RowName.RELEASE, "file:keys/release-2.key")
    assert (home / NODE_TOML).read_text() == WRITTEN
    assert [path.name for path in home.iterdir()] == [NODE_TOML]
