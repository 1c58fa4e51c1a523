from __future__ import annotations

import json

from hashpact_node.services.incident_report import IncidentReport, MemberEffect
from hashpact_node.services.incident_states import IncidentShown
from hashpact_node.services.incident_times import MemberTimes, Spread
from hashpact_node.services.incident_views import moment, told_incident, told_report, told_said, told_shown
from hashpact_node.services.incidents import Said
from hashpact_node.services.stating import Stated
from hashpact_protocol.incidents import Incident, Status, Step, Turn
from members import TIME, uuid_of

FIRE = uuid_of(70)
STEP = Step("beta", 3, FIRE, Status.ACTIVE, TIME, "A <drill>", "drill", "n", seen=0)
SHOWN = IncidentShown(
    Incident(FIRE, Status.PROPOSED, "A <drill>", "drill", ("beta",), (), (), short=1),
    2,
    (STEP,),
    (Turn(60, Status.PROPOSED, "beta"),),
    (MemberTimes("beta", 2, 1, 0, 1, 5, 6, 7.9, Spread(1, 1.23456, 2, 3), -0.5),),
)
REPORT = IncidentReport(
    "acme", 90, SHOWN, (STEP,), 2, 1, 0, 1, {"block": 1}, (MemberEffect("beta", {"block": 1}, 1, None),)
)


def test_times_are_told_as_on_the_wire() -> None:
    assert (moment(None), moment(0), moment(-62_135_596_800)) == (None, "1970-01-01T00:00:00Z", "0001-01-01T00:00:00Z")
    told = told_shown(SHOWN)
    assert (told["words"][0]["merged_at"], told["turns"][0]["at"]) == ("1970-01-01T00:00:00Z", "1970-01-01T00:01:00Z")
    assert told["members"][0]["first_merged"] == "1970-01-01T00:00:07Z"


def test_spans_are_told_in_milliseconds_and_with_their_clocks() -> None:
    told = told_shown(SHOWN)
    assert told["members"][0]["to_matchable_seconds"] == {"count": 1, "p50": 1.235, "p95": 2, "longest": 3}
    assert told["members"][0]["clock_ahead_seconds"] == -0.5
    assert "publisher's clock" in told["clocks"]


def test_a_report_is_plain_json_and_holds_the_incident() -> None:
    told = told_report(REPORT)
    assert json.loads(json.dumps(told)) == told
    assert told["incident"] | told_incident(SHOWN.incident) == told["incident"]
    assert told["effects"][0]["to_blocking_at_most_seconds"] is None


def test_what_was_said_is_told_with_how_it_stands() -> None:
    told = told_said(Said(FIRE, Status.ACTIVE, Stated("s", "acme.example/logs/crisis-1", 4, 5)))
    assert (told["id"], told["status"], told["statement"], told["index"], told["notice"]) == (
        FIRE,
        "active",
        "s",
        4,
        None,
    )
