"""Keys without a node: on the machine of a key's holder there is the wheel, the key, and nothing else."""

# ruff: noqa: PLC0415  heavy parts are imported where they are needed, so that help and mistakes are quick
from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hashpact_keys.keystore import KeyStore


def keystore_without_home(folder: Path, *, new: bool = False) -> KeyStore:
    """Give a key store whose relative paths start from a folder; secrets come from where commands take them.

    The passphrase of ``new`` keys is typed twice. Raises ConfigurationError.
    """
    return _keystore(folder, new=new, made=False)


def keystore_of(home: Path, *, new: bool = False) -> KeyStore:
    """Give the key store of a home; where there is none, paths start from the current folder.

    The passphrase of ``new`` keys is typed twice. Raises ConfigurationError.
    """
    from hashpact_node.settings import NODE_TOML

    if (home / NODE_TOML).exists():
        return _keystore(home, new=new, made=True)
    return keystore_without_home(Path.cwd(), new=new)


def _keystore(folder: Path, *, new: bool, made: bool) -> KeyStore:
    from hashpact_keys.keystore import KeyStore
    from hashpact_node.cli.passphrase import PassphraseSource
    from hashpact_node.settings import load_settings

    source = PassphraseSource(load_settings(os.environ, folder), new=new, made=made)
    return KeyStore(folder, source, pin=source.pin)
