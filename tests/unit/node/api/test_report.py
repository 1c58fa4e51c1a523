from __future__ import annotations

import pytest

from hashpact_node.api.models_report import Report
from hashpact_node.services.drafts import ListingDraft
from members import sha256
from serving import Served

PERIOD = {"from": "2026-11-01", "to": "2026-11-24"}


def test_a_report_in_each_form(sqlite_served: Served) -> None:
    sqlite_served.node.publisher.publish([ListingDraft("image", (sha256(n),)) for n in range(8)])
    told = sqlite_served.get("/v1/report", params=PERIOD).json()
    Report.model_validate(told)
    assert [one["value"] for one in told["sections"][0]["figures"]] == [8, 8]
    table = sqlite_served.get("/v1/report", params={**PERIOD, "format": "csv"})
    page = sqlite_served.get("/v1/report", params={**PERIOD, "format": "html"})
    assert (table.headers["content-type"], page.headers["content-type"]) == (
        "text/csv; charset=utf-8",
        "text/html; charset=utf-8",
    )
    # A browser saves it: shown from here it would have no style (safe_headers.py).
    name = 'attachment; filename="hashpact-report-acme-2026-11-01-2026-11-24.html"'
    assert page.headers["content-disposition"] == name
    assert page.text.startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(
    ("period", "where"),
    [
        ({"from": "x", "to": "2026-11-24"}, "from"),
        ({"from": "2026-11-01", "to": "2026-11-31"}, "to"),
        ({"from": "2026-11-02", "to": "2026-11-01"}, "to"),
    ],
)
def test_periods_that_are_none(sqlite_served: Served, period: dict[str, str], where: str) -> None:
    answer = sqlite_served.get("/v1/report", params=period)
    assert (answer.status_code, answer.json()["where"]) == (422, where)
