from __future__ import annotations

from pathlib import Path

from hashpact_keys.rows import RowName
from hashpact_node.api.models_keys import Keys
from serving import Served


def ask(served: Served) -> Keys:
    answer = served.get("/v1/keys")
    assert answer.status_code == 200
    return Keys.model_validate(answer.json(), strict=True)


def test_each_row_and_key_is_shown(served: Served) -> None:
    found = ask(served)
    assert [key.row for key in found.keys] == [duty.row for duty in found.rows] == [row.value for row in RowName]
    assert [role.role for role in found.roles] == ["root", "targets", "snapshot", "timestamp"]
    assert found.fingerprint.startswith("1:sha256:")
    root = found.rows[0]
    assert (root.threshold, root.named, root.who) == (1, 1, "the root holders")
    assert root.by == root.expires is not None
    errors = {(one.code, one.row) for one in found.findings if one.severity == "error"}
    assert errors == {("offline-key-here", "root"), ("offline-key-here", "targets"), ("root-threshold", "root")}
    assert found.keys[0].warnings[0].startswith("TRIAL MODE")


def test_a_stray_copy_is_found_and_no_secret_is_shown(sqlite_served: Served) -> None:
    home = sqlite_served.node.settings.home
    stray = home / "copy"
    stray.write_bytes((home / "keys/root.key").read_bytes())
    (home / "keys/root.key").unlink()
    assert ("offline-key-here", "copy") in {(one.code, one.where) for one in ask(sqlite_served).findings}
    text = sqlite_served.get("/v1/keys").text
    assert "passphrase of a test" not in text
    assert str(Path(home)) not in text
