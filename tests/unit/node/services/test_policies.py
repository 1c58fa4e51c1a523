from __future__ import annotations

from pathlib import Path

import pytest

from hashpact_node.services.judging_anew import Rejudger
from hashpact_node.services.policies import POLICY_BROKEN, Policies, read_text
from hashpact_node.store.alarms import Alarm, list_alarms
from hashpact_node.store.database import Database
from hashpact_node.store.judging import policy_in_force
from hashpact_protocol.errors import ConfigurationError
from hashpact_protocol.incidents import IncidentRules
from members import NOW, add_log, listing, sha256

GOOD = "[[rule]]\nname = 'all'\nthen = 'block'\n"
OTHER = "[[rule]]\nname = 'all'\nthen = 'observe'\n"
BROKEN = "[[rule]]\nname = 'all'\nthen = 'blok'\n"


@pytest.fixture
def policies(sqlite_database: Database, tmp_path: Path) -> Policies:
    add_log(sqlite_database, "acme", own=True)
    add_log(sqlite_database, "beta").append(listing(1, sha256(1)))
    rejudger = Rejudger(sqlite_database, lambda: NOW)
    return Policies(sqlite_database, tmp_path / "policy.toml", rejudger, lambda: NOW)


def text_in_force(policies: Policies) -> str | None:
    with policies.database.read() as connection:
        return policy_in_force(connection).text


def alarms(policies: Policies) -> list[Alarm]:
    with policies.database.read() as connection:
        return list_alarms(connection)


def test_a_file_is_taken_up_when_it_changes_and_only_then(policies: Policies) -> None:
    assert policies.look() == 0
    policies.path.write_text(GOOD)
    assert policies.reload()
    assert not policies.reload()
    assert policies.look() == 1
    policies.path.write_text(OTHER)
    assert policies.look() == 1
    assert policies.look() == 0
    assert text_in_force(policies) == OTHER


def test_what_makes_an_incident_active_is_asked_of_the_policy_in_force(policies: Policies) -> None:
    assert policies.incident_rules() == IncidentRules(counting=frozenset({"acme", "beta"}))
    policies.path.write_text("[incidents]\nmembers = 4\ncounting = ['gamma']\n")
    policies.reload()
    assert policies.incident_rules() == IncidentRules(members=4, counting=frozenset({"gamma"}))
    policies.path.write_text("[other_peers]\nshadow = true\n")
    policies.reload()
    assert policies.incident_rules() == IncidentRules(counting=frozenset({"acme"}))


def test_a_file_that_vanishes_or_is_empty_ends_no_policy(policies: Policies) -> None:
    """The default policy blocks what two members list; an observer's must not turn into it by a slip."""
    policies.path.write_text(OTHER)
    policies.look()
    for lose in (policies.path.unlink, lambda: policies.path.write_text("\n# nothing yet\n")):
        lose()
        assert policies.look() == 0
        assert text_in_force(policies) == OTHER
        (alarm,) = alarms(policies)
        assert "gone, or says nothing" in alarm.what
    policies.path.write_text("version = 1\n")
    assert policies.look() == 1
    assert alarms(policies) == []


def test_what_is_due_is_judged_whatever_a_file_does(policies: Policies, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[int] = []

    def run(_rejudger: Rejudger) -> int:
        ran.append(1)
        return 0

    monkeypatch.setattr(Rejudger, "run", run)
    policies.path.write_text("version = " + "9" * 5_000)
    policies.look()
    assert "no TOML" in alarms(policies)[0].what
    monkeypatch.setattr("hashpact_node.services.policies.read_text", lambda _path: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        policies.look()
    assert ran == [1, 1]


def test_a_broken_file_keeps_the_last_good_one_and_says_so_once(policies: Policies) -> None:
    policies.path.write_text(GOOD)
    policies.look()
    policies.path.write_text(BROKEN)
    for _ in range(3):
        assert not policies.reload()
    assert text_in_force(policies) == GOOD
    (alarm,) = alarms(policies)
    assert (alarm.code, alarm.times) == (POLICY_BROKEN, 1)
    assert "policy.toml, line 3, rule 1: then: 'blok'" in alarm.what
    assert alarm.mend == "did you mean block?; until then the policy before it holds"
    policies.path.write_text(GOOD)
    assert not policies.reload()
    assert alarms(policies) == []


def test_a_file_that_is_broken_in_another_way_is_told_of_again(policies: Policies) -> None:
    for text in (BROKEN, "rules = 3"):
        policies.path.write_text(text)
        policies.reload()
    (alarm,) = alarms(policies)
    assert "there is no field 'rules'" in alarm.what


def test_a_good_file_after_a_broken_one_clears_the_alarm(policies: Policies) -> None:
    policies.path.write_text(BROKEN)
    policies.reload()
    policies.path.write_text(OTHER)
    assert policies.reload()
    assert alarms(policies) == []


def test_what_cannot_be_read_is_told(policies: Policies) -> None:
    policies.path.write_bytes(b"\xff")
    with pytest.raises(ConfigurationError, match="no UTF-8"):
        read_text(policies.path)
    policies.path.unlink()
    policies.path.mkdir()
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_text(policies.path)
    assert not policies.reload()
    assert [alarm.code for alarm in alarms(policies)] == [POLICY_BROKEN]
