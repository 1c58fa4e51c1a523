from __future__ import annotations

from pathlib import Path

from sqlalchemy import text

from hashpact_node.store.database import Database
from own_member import ORIGIN
from serving import Served


def test_a_process_that_answers_lives(sqlite_served: Served) -> None:
    answer = sqlite_served.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_a_node_is_ready_once_its_log_is_shown(served: Served) -> None:
    early = served.get("/readyz")
    assert early.status_code == 503
    assert early.headers["content-type"] == "application/problem+json"
    assert ORIGIN in early.json()["detail"]
    served.node.upkeep.renew_cosignatures()
    answer = served.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "signing": "signs"})


def test_a_database_of_another_version_is_not_ready(served: Served) -> None:
    with served.node.database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    answer = served.get("/readyz")
    assert (answer.status_code, "version" in answer.json()["detail"]) == (503, True)


def test_a_lost_database_is_not_ready(sqlite_served: Served, sqlite_database: Database) -> None:
    file = sqlite_database.file
    assert file is not None
    sqlite_served.node.database.dispose()
    for path in file.parent.glob(f"{file.name}*"):
        path.unlink()
    file.mkdir()
    answer = sqlite_served.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (503, 503)
    assert sqlite_served.get("/healthz").status_code == 200
    Path(file).rmdir()
