from __future__ import annotations

import csv
import io

from hashpact_node.services.report_csv import report_csv
from hashpact_node.services.report_form import Figure, Report, Row, Section, Table, unmeasured

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


def test_each_line_has_a_value_and_none_is_a_formula() -> None:
    lines = list(csv.DictReader(io.StringIO(report_csv(REPORT))))
    found = {(one["section"], one["table"], one["row"], one["measure"]): one["value"] for one in lines}
    assert found == {
        ("report", "", "", "member"): "acme",
        ("report", "", "", "first"): "2026-01-01",
        ("report", "", "", "last"): "2026-12-31",
        ("report", "", "", "made_at"): "2027-01-02T03:04:05Z",
        ("report", "", "", "threshold"): "5",
        ("list", "", "", "items"): "1234",
        ("list", "", "", "took"): "3661",
        ("list", "", "", "e"): "not measured",
        ("list", "by-label", "'=a<b>", "hashes"): "90",
        ("list", "by-label", "'=a<b>", "items"): "45",
        ("list", "by-label", "other words", "hashes"): "withheld",
        ("list", "by-label", "other words", "items"): "withheld",
        ("list", "by-type", "", ""): "withheld",
        ("matches", "", "", ""): "not measured",
    }
    notes = {one["measure"] or one["section"]: one["note"] for one in lines if one["note"]}
    assert notes == {"took": "seconds", "e": "not measured: unknown", "matches": "nobody counted"}
