from __future__ import annotations

from datetime import timedelta

import pytest

from hashpact_keys.rows import ROLE_VALIDITY, ROWS, RowName, TrustRole, row_of_log, row_of_role


def test_every_row_is_there_once_under_its_own_name() -> None:
    assert list(ROWS) == list(RowName)
    assert all(row.name is name for name, row in ROWS.items())


def test_root_and_targets_never_sit_on_the_serving_host() -> None:
    assert {name for name, row in ROWS.items() if not row.on_serving_host} == {RowName.ROOT, RowName.TARGETS}


def test_every_role_has_one_row_and_a_validity() -> None:
    rows = {role: row_of_role(role) for role in TrustRole}
    assert rows == {
        TrustRole.ROOT: RowName.ROOT,
        TrustRole.TARGETS: RowName.TARGETS,
        TrustRole.SNAPSHOT: RowName.ONLINE,
        TrustRole.TIMESTAMP: RowName.ONLINE,
    }
    assert [ROLE_VALIDITY[role] for role in TrustRole] == [timedelta(days=days) for days in (365, 365, 7, 1)]


@pytest.mark.parametrize(
    ("kind", "row"),
    [("listings", RowName.RELEASE), ("opinions", RowName.RELEASE), ("crisis", RowName.CRISIS)],
)
def test_the_kind_of_a_log_picks_its_row(kind: str, row: RowName) -> None:
    assert row_of_log(kind) is row


def test_another_kind_of_log_has_no_row() -> None:
    with pytest.raises(KeyError):
        row_of_log("gossip")
