"""``hashpact incident …``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from commands import Commands
from members import uuid_of

Draw = Callable[[int], str]

pytestmark = pytest.mark.usefixtures("quick_keys")


@pytest.fixture
def ready(acme: Commands) -> Commands:
    """Acme, with a log of crises."""
    acme("logs", "open", "crisis")
    return acme


def test_an_incident_from_its_proposal_to_its_report(ready: Commands, draw: Draw, tmp_path: Path) -> None:
    assert "nobody speaks of any incident" in ready("incident", "list").stdout
    proposed = ready.json("incident", "propose", "--title", "A drill", "--type", "drill")
    incident = proposed["id"]
    assert (proposed["status"], proposed["index"]) == ("proposed", 0)
    assert "no listing names this incident" in ready("incident", "show", incident).stdout
    assert "active:" in ready("incident", "activate", incident, "--note", "seen here").stdout
    (listed,) = ready.json("publish", draw(1), "--incident", incident)["listings"]
    assert listed["origin"].endswith("/logs/crisis-1")
    ready("incident", "update", incident, "--title", "The drill")
    (one,) = ready.json("incident", "list", "--status", "proposed")["incidents"]
    assert (one["title"], one["active"], one["short"]) == ("The drill", ["acme"], 1)
    assert ready.json("incident", "list", "--status", "active")["incidents"] == []
    assert "The drill" in ready("incident", "list").stdout
    assert "1 member short" in ready("incident", "show", incident).stdout
    ready("incident", "conclude", incident)
    assert ready.json("incident", "show", incident)["status"] == "concluded"
    page = tmp_path / "report.html"
    text = ready("incident", "report", incident).stdout
    assert "1 listing, 1 of them stand" in text
    assert "From published to matchable" in text
    told = ready("incident", "report", incident, "--html", str(page))
    assert (told.stdout, "written" in told.stderr) == ("", True)
    assert "The drill" in page.read_text()
    assert ready.json("incident", "report", incident)["listings"] == 1


def test_what_goes_wrong_is_told(ready: Commands) -> None:
    incident = ready.json("incident", "propose", "--title", "A drill")["id"]
    assert "it is proposed" in ready.complaint("incident", "join", incident, code=4)
    assert "nothing would change" in ready.complaint("incident", "update", incident, code=2)
    assert ready.error("incident", "show", uuid_of(9), code=3)["mend"]
    assert "no incident has this id" in ready.complaint("incident", "activate", "fire", code=3)


def test_without_a_log_of_crises_it_is_said_how_to_open_one(acme: Commands) -> None:
    assert "hashpact logs open crisis" in acme.complaint("incident", "propose", "--title", "A drill", code=3)


def test_what_is_given_to_propose_is_not_in_the_audit_log(ready: Commands) -> None:
    """The log tells which incident; its title is in the statement."""
    incident = ready.json("incident", "propose", "--title", "A drill")["id"]
    told = ready("audit", "show", "--json").stdout
    assert incident in told
    assert "A drill" not in told
