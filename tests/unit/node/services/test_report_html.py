from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

from hashpact_node.services.report_charts import ROWS_MAX
from hashpact_node.services.report_form import Figure, Report, Row, Section, Table, unmeasured
from hashpact_node.services.report_html import report_html, span

BOTH = ("hashes", "items")
LIST = Section(
    "list",
    "The list",
    "What stands on it.",
    (
        Figure("items", "Items", 1_234),
        Figure("took", "Half took", 3_661, "seconds"),
        unmeasured("e", "Reviews", "unknown"),
    ),
    (
        Table("by-label", "By label", "label", BOTH, (Row("=a<b>", (90, 45)), Row("other words", (None, None)))),
        Table("by-type", "By type", "type", ("hashes",), (), withheld=True),
        Table("by-word", "By word", "word", ("hashes",), ()),
    ),
)
GAP = Section("matches", "Matches", "Lookups.", not_measured="nobody counted")
REPORT = Report("acme", "<b>Acme</b>", "2026-01-01", "2026-12-31", "2027-01-02T03:04:05Z", 5, (LIST, GAP))


class _Page(HTMLParser):
    """Collects what a page names and how its tables are made."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.scopes: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        found = dict(attrs)
        self.addresses += [value or "" for name, value in attrs if name in {"href", "src", "xlink:href", "srcset"}]
        self.scopes += [found["scope"] or ""] if "scope" in found else []
        self.ids += [found["id"] or ""] if "id" in found else []
        assert not any(name.startswith("on") or name == "style" for name, _ in attrs)


def test_the_page_stands_alone_and_says_its_charts_in_tables() -> None:
    text = report_html(REPORT)
    page = _Page()
    page.feed(text)
    assert not {"script", "link", "img", "iframe", "object"} & set(page.tags)
    assert page.addresses == ["#list", "#matches"]
    assert set(page.addresses) <= {f"#{one}" for one in page.ids}
    assert not re.search(r"url\(|@import|https?://(?!www\.w3\.org/2000/svg)", text)
    assert page.tags.count("svg") == text.count('aria-hidden="true"') == page.tags.count("table") == 1
    assert page.scopes == ["col"] * 3 + ["row"] * 2
    assert len(set(page.ids)) == len(page.ids)


def test_what_is_not_measured_or_withheld_is_said_and_is_no_number() -> None:
    text = report_html(REPORT)
    assert "<strong>Not measured:</strong> nobody counted." in text
    assert '<dt>Reviews</dt>\n<dd class="none">not measured: unknown</dd>' in text
    assert text.count('<td class="none">withheld</td>') == 2
    assert "Withheld: the counts are too small to be shown." in text
    assert "Counts from 1 to 4 are withheld" in text
    assert "No count is withheld." in report_html(replace(REPORT, threshold=0))


def test_what_others_wrote_is_text_and_no_markup() -> None:
    text = report_html(REPORT)
    assert "<b>" not in text
    assert "&lt;b&gt;Acme&lt;/b&gt;" in text
    assert text.count("=a&lt;b&gt;") == 2


def test_a_long_table_says_that_not_all_of_it_is_drawn() -> None:
    rows = tuple(Row(f"r{n}", (n,)) for n in range(ROWS_MAX + 1))
    long = Section("long", "Long", "Long.", tables=(Table("t", "T", "x", ("n",), rows),))
    text = report_html(replace(REPORT, sections=(long,)))
    assert f"Drawn are the first {ROWS_MAX}; the table has all." in text
    assert text.count('<th scope="row">') == ROWS_MAX + 1


def test_spans_are_written_in_units_that_tell_them() -> None:
    assert [span(one) for one in (5, 61, 3_660, 90_000)] == ["5 s", "1 min 1 s", "1 h 1 min", "1 d 1 h"]
    assert "<dd>1 h 1 min</dd>" in report_html(REPORT)
