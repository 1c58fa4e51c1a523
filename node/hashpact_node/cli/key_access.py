"""Keys without a node: on the machine of a key's holder there is the wheel, the key, and nothing else."""

# ruff: noqa: PLC0415  heavy parts are imported where they are needed, so that help and mistakes are quick
from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hashpact_keys.keystore import KeyStore


def keystore_without_home(folder: Path) -> KeyStore:
    """Give a key store whose relative paths start from a folder; secrets come from where commands take them."""
    from hashpact_keys.keystore import KeyStore
    from hashpact_node.cli.passphrase import PassphraseSource
    from hashpact_node.settings import load_settings

    return KeyStore(folder, PassphraseSource(load_settings(os.environ, folder)))
