from __future__ import annotations

from datetime import timedelta

import pytest

from hashpact_keys.findings import Severity
from hashpact_keys.health import ClockOffset, KeyHealth, clock_findings
from hashpact_keys.rows import RowName
from unit.keys.key_home import TRIAL, KeyHome
from unit.keys.trust_simulator import NOW


def by_row(home: KeyHome, after: timedelta = timedelta(0)) -> dict[RowName, KeyHealth]:
    entries = home.look(after).keys
    assert [entry.row for entry in entries] == list(RowName)
    return {entry.row: entry for entry in entries}


def texts(entry: KeyHealth) -> list[str]:
    return [warning for warning in entry.warnings if "rounds" not in warning]


def test_trial_mode_is_a_loud_warning_that_says_what_to_do(trial: KeyHome) -> None:
    entries = by_row(trial)
    for row in (RowName.ROOT, RowName.TARGETS):
        warning = texts(entries[row])[0]
        assert warning.startswith("TRIAL MODE")
        assert "Before real use" in warning
    assert trial.found() == TRIAL
    others = [entry for row, entry in entries.items() if row not in {RowName.ROOT, RowName.TARGETS}]
    assert not any(texts(entry) for entry in others)


def test_a_home_in_production_is_well(production: KeyHome) -> None:
    assert production.found() == set()
    assert production.look().looked_at == 5


def test_place_age_and_expiry_are_shown(trial: KeyHome) -> None:
    entries = by_row(trial)
    assert entries[RowName.ONLINE].uri == "file:keys/online.key"
    assert {entry.age for entry in entries.values()} == {timedelta(hours=1)}
    assert entries[RowName.RELEASE].public == trial.public[RowName.RELEASE]
    expiries = {row: entry.expires - NOW if entry.expires else None for row, entry in entries.items()}
    assert expiries[RowName.ROOT] == expiries[RowName.TARGETS] == timedelta(days=365)
    assert expiries[RowName.ONLINE] == timedelta(days=1)
    assert expiries[RowName.RELEASE] is expiries[RowName.CRISIS] is None
    assert expiries[RowName.WITNESS] == expiries[RowName.REQUEST] == timedelta(days=365, hours=-4)


def test_the_gravest_comes_first(trial: KeyHome) -> None:
    weights = [one.severity for one in trial.look(timedelta(days=340)).findings]
    assert weights == sorted(weights, key=list(Severity).index)
    assert {Severity.ERROR, Severity.WARNING} <= set(weights)


@pytest.mark.parametrize(
    ("seconds", "severity"),
    [(60, None), (-60, None), (61, "warning"), (-61, "warning"), (300, "warning"), (301, "error"), (-301, "error")],
)
def test_a_clock_that_is_wrong_is_said_with_how_that_was_measured(
    trial: KeyHome, seconds: float, severity: str | None
) -> None:
    found = clock_findings(ClockOffset(seconds, "by three peers' answers"))
    assert [one.severity.value for one in found] == ([severity] if severity else [])
    for one in found:
        assert ("ahead" if seconds > 0 else "behind") in one.what
        assert "by three peers' answers" in one.what
    trial.around["clock"] = ClockOffset(seconds, "so")
    assert (("clock-skew", None) in trial.found()) == (severity is not None)
