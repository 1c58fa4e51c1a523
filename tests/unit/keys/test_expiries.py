from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from hashpact_keys.expiries import crossed, duties, expiry_findings
from hashpact_keys.findings import Severity
from hashpact_keys.rows import RowName
from hashpact_keys.trust import describe
from unit.keys.key_home import KeyHome
from unit.keys.trust_simulator import NOW

YEAR = timedelta(days=365)
SECOND = timedelta(seconds=1)


def weights(home: KeyHome, at: datetime, row: RowName) -> list[tuple[str, str]]:
    found = expiry_findings(describe(home.member.files), home.card, at)
    return [(one.code, one.severity.value) for one in found if one.row is row]


@pytest.mark.parametrize("row", [RowName.ROOT, RowName.TARGETS])
def test_warnings_begin_30_days_before_the_end_and_grow(trial: KeyHome, row: RowName) -> None:
    end = NOW + YEAR
    assert weights(trial, end - timedelta(days=30) - SECOND, row) == []
    for days, severity in ((30, "warning"), (14, "warning"), (8, "warning"), (7, "error"), (1, "error")):
        assert weights(trial, end - timedelta(days=days), row) == [("expires-soon", severity)], days
    assert weights(trial, end - SECOND, row) == [("expires-soon", "error")]
    assert weights(trial, end, row) == [("expired", "error")]


@pytest.mark.parametrize("row", [RowName.WITNESS, RowName.REQUEST])
def test_keys_of_the_card_end_when_the_last_of_their_row_does(trial: KeyHome, row: RowName) -> None:
    end = NOW + YEAR - timedelta(hours=4)
    assert weights(trial, end - timedelta(days=3), row) == [("expires-soon", "error")]
    assert weights(trial, end, row) == [("expired", "error")]
    keys = trial.member.card_value()[f"{row.value}_keys"]
    later = {**keys[0], "until": "2028-11-24T00:00:00Z", **({"id": "acme-request-2"} if "id" in keys[0] else {})}
    trial.value(**{f"{row.value}_keys": [*keys, later]})
    assert weights(trial, end, row) == []


def test_what_is_crossed_is_the_last_of_30_14_7_and_1_days() -> None:
    ends = {31: None, 30: 30, 15: 30, 14: 14, 8: 14, 7: 7, 2: 7, 1: 1}
    assert {days: crossed(NOW + timedelta(days=days), NOW) for days in ends} == ends
    assert crossed(NOW, NOW) == crossed(NOW - SECOND, NOW) == 0


def test_the_node_is_late_when_a_quarter_is_left(trial: KeyHome) -> None:
    assert weights(trial, NOW + timedelta(hours=18), RowName.ONLINE) == []
    assert weights(trial, NOW + timedelta(hours=18, seconds=1), RowName.ONLINE) == [("renewal-late", "warning")]
    assert weights(trial, NOW + timedelta(days=1), RowName.ONLINE) == [("expired", "error")]
    assert ("renewal-late", "warning") in weights(trial, NOW + timedelta(days=6), RowName.ONLINE), "the snapshot"


def test_who_must_act_by_when(production: KeyHome) -> None:
    found = {duty.row: duty for duty in duties(describe(production.member.files), production.card)}
    assert list(found) == list(RowName)
    root = found[RowName.ROOT]
    assert (root.threshold, root.named, root.who) == (2, 3, "the root holders")
    assert "`hashpact keys ceremony start`" in root.what
    assert root.by == root.expires
    assert root.by is not None
    assert found[RowName.TARGETS].who == found[RowName.WITNESS].who == "a security officer"
    assert (found[RowName.ONLINE].who, found[RowName.ONLINE].by) == ("nobody", None)
    assert found[RowName.ONLINE].expires == NOW + timedelta(days=1)
    release, crisis = found[RowName.RELEASE], found[RowName.CRISIS]
    assert (release.threshold, release.named, release.expires) == (None, 1, None)
    assert crisis.named == 0


def test_a_finding_says_who_does_what(trial: KeyHome) -> None:
    (found,) = expiry_findings(describe(trial.member.files), trial.card, NOW + YEAR - timedelta(days=20))[:1]
    assert found.severity is Severity.WARNING
    assert found.mend.startswith("the root holders: sign a new root")
