from __future__ import annotations

from pathlib import Path

import pytest

from hashpact_node.store.database import Database
from own_member import OwnMember, found_member


@pytest.fixture
def acme(database: Database, database_url: str, tmp_path: Path) -> OwnMember:
    """An initialised member, once on each kind of database."""
    return found_member(database, tmp_path / "home", database_url)
