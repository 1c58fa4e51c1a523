from __future__ import annotations

from html.parser import HTMLParser

from hashpact_node.services.incident_html import report_page
from hashpact_node.services.incident_report import IncidentReport, MemberEffect
from hashpact_node.services.incident_states import IncidentShown
from hashpact_node.services.incident_times import MemberTimes, Spread
from hashpact_node.services.incident_views import told_report
from hashpact_protocol.incidents import Incident, Status, Step, Turn
from members import TIME, uuid_of

FIRE = uuid_of(70)
HOSTILE = '"><script src="https://evil.example/x.js"></script>&<img onerror=x>'


class Page(HTMLParser):
    """Gathers what a browser would find: tags, names of attributes, and the text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def page(**of: object) -> Page:
    step = Step("beta", 0, FIRE, Status.ACTIVE, TIME, HOSTILE, HOSTILE, HOSTILE, seen=0)
    shown = IncidentShown(
        Incident(FIRE, Status.ACTIVE, HOSTILE, HOSTILE, ("beta",), (), (), short=0),
        1,
        (step,),
        (Turn(0, Status.ACTIVE, "beta"),),
        (MemberTimes("beta", 2, 2, 0, 0, 0, 0, 1.5, Spread(2, 0.5, 1.5, 1.5)),),
    )
    actions = of.get("actions", {"block": 3, "review": 1})
    assert isinstance(actions, dict)
    effect = MemberEffect("beta", actions, 2, Spread(2, 1, 2, 2))
    return Page(report_page(told_report(IncidentReport("acme", 0, shown, (step,), 2, 2, 0, 4, actions, (effect,)))))


def test_nothing_that_members_wrote_is_more_than_text() -> None:
    found = page()
    assert found.tags.isdisjoint({"script", "img", "link", "iframe"})
    assert found.attributes <= {"lang", "charset", "name", "content", "scope", "class", "style"}
    assert found.text.count(HOSTILE) >= 4


def test_the_page_holds_the_figures() -> None:
    text = page().text
    for told in ("beta", "0.5", "1.5", "3 block, 1 review", "1970-01-01T00:00:00Z", "publisher's clock"):
        assert told in text


def test_without_signals_there_is_no_chart() -> None:
    assert "Signals by action" in page().text
    assert "Signals by action" not in page(actions={}).text
