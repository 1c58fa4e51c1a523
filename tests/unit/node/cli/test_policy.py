"""``hashpact policy …``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from commands import Commands
from hashpact_node import clock
from hashpact_node.services.judging_anew import Rejudger
from hashpact_node.services.policies import Policies
from hashpact_node.store.database import open_database
from hashpact_protocol.policy_file import policy_schema

Draw = Callable[[int], str]
OBSERVING = (
    "[[rule]]\nname = 'watch'\nthen = 'observe'\n[[rule]]\nname = 'never'\nwhen = { own = true }\nthen = 'block'\n"
)


def test_a_file_is_checked_without_a_node(acme: Commands, tmp_path: Path) -> None:
    file = tmp_path / "new.toml"
    file.write_text("[[rule]]\nname = 'a'\nwhen = { labels = ['odd'] }\nthen = 'block'\n")
    checked = acme("policy", "check", str(file))
    assert "1 rules, 1 warnings" in checked.stdout
    assert "the taxonomy does not know the label 'odd'" in checked.stderr
    file.write_text(OBSERVING)
    found = acme.json("policy", "check", str(file))
    assert found["rules"] == 2
    (warning,) = found["warnings"]
    assert warning.startswith("the rule 'never' is never reached: wherever it fits, 'watch' above it does")


def test_what_is_wrong_is_told_with_its_line(acme: Commands, tmp_path: Path) -> None:
    file = tmp_path / "new.toml"
    file.write_text("\notherwise = 'blok'\n")
    error = acme.error("policy", "check", str(file), code=2)
    assert error["where"] == f"{file}, line 2, otherwise"
    assert error["mend"] == "did you mean block?"
    assert "no such file" in acme.error("policy", "check", str(tmp_path / "none"), code=3)["what"]


def test_a_policy_is_tried_before_it_holds_and_shown_when_it_does(acme: Commands, draw: Draw, tmp_path: Path) -> None:
    acme("publish", draw(1))
    file = tmp_path / "new.toml"
    file.write_text(OBSERVING)
    assert "the default policy holds" in acme("policy", "show").stdout
    tried = acme.json("policy", "try", str(file), "--samples", "1")
    (move,) = tried["moves"]
    assert (move["from"], move["to"], len(move["samples"])) == ("block", "observe", 1)
    assert tried["changed"] == tried["signals"] == move["signals"]
    assert tried["rules"] == {"watch": tried["signals"]}
    shown = acme("policy", "try", str(file))
    assert "would get another action" in shown.stdout
    assert "watch" in shown.stdout
    assert "never reached" in shown.stderr
    before = acme.json("blocklist", "show")
    (acme.home / "policy.toml").write_text(OBSERVING)
    assert acme.json("blocklist", "show") == before
    database = open_database(f"sqlite:///{acme.home}/node.sqlite3")
    policies = Policies(database, acme.home / "policy.toml", Rejudger(database, clock.now), clock.now)
    assert policies.look() == tried["changed"]
    database.dispose()
    held = acme("policy", "show")
    assert held.stdout == OBSERVING
    assert "it holds since" in held.stderr
    assert {key: acme.json("policy", "show")[key] for key in ("default", "judging", "text")} == {
        "default": False,
        "judging": False,
        "text": OBSERVING,
    }
    assert acme.json("policy", "try", str(file))["moves"] == []


def test_members_that_are_not_followed_are_told(acme: Commands, tmp_path: Path) -> None:
    file = tmp_path / "new.toml"
    file.write_text("[peers.betta]\ntrust = 'none'\n[incidents]\ncounting = ['acme']\n")
    assert "follows no member betta:" in acme("policy", "try", str(file)).stderr


def test_the_schema_is_printed(acme: Commands) -> None:
    assert json.loads(acme("policy", "schema").stdout) == policy_schema()
