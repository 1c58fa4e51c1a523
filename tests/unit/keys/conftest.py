from __future__ import annotations

from pathlib import Path

import pytest

from unit.keys.key_home import KeyHome


@pytest.fixture
def trial(tmp_path: Path) -> KeyHome:
    """A home as `init` makes it."""
    return KeyHome(tmp_path)


@pytest.fixture
def production(tmp_path: Path) -> KeyHome:
    """A home with 2 of 3 root keys, of which none lies there, nor does the targets key."""
    home = KeyHome(tmp_path)
    home.go_into_production()
    return home
