"""What is wrong with key files: where they lie, and how well they are protected."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Final

from hashpact_keys.findings import Finding, finding
from hashpact_keys.keys_here import KeyHere
from hashpact_keys.named_keys import former_root_keys, newest_root_keys
from hashpact_keys.rows import ROWS, RowName, TrustRole
from hashpact_keys.seen_files import Scan, SeenKey
from hashpact_keys.trust import TrustState
from hashpact_keys.trust_files import TrustFiles

ROUNDS_LEAST: Final = 16
"""What ssh-keygen wrote for years; fewer rounds let whoever has the file try passphrases quickly."""

OFFLINE: Final = tuple(name for name, row in ROWS.items() if not row.on_serving_host)

_OTHERS_MAY: Final = 0o077

_TRIAL: Final = {
    RowName.ROOT: (
        "TRIAL MODE: the root key lies on the serving host, and one key alone is enough",
        (
            "whoever takes this host can take this member's name for good. Before real use, make root keys on machines "
            "that are never online, with a threshold of 2 of 3 or more (`hashpact keys ceremony start`), and move this "
            "file away"
        ),
    ),
    RowName.TARGETS: (
        "TRIAL MODE: the targets key lies on the serving host",
        (
            "whoever takes this host can change which logs and keys count. Before real use, move this file to a "
            "security officer's machine or an HSM, and sign cards there"
        ),
    ),
}


def offline_findings(
    here: Collection[KeyHere], scan: Scan, files: TrustFiles, state: TrustState, home: Path
) -> Iterator[Finding]:
    """Root and targets keys on the serving host, wherever in the home they lie and whatever the settings say.

    Raises:
        TrustError: a root is damaged.
    """
    newest, former = _offline(newest_root_keys(files)), _offline(former_root_keys(files))
    trial = any(role.role is TrustRole.ROOT and role.threshold == 1 for role in state.roles)
    for key, row, where in _all_files(here, scan, home):
        named = None if key.identity is None else newest.get(key.identity)
        if named is None and key.identity is None and row in OFFLINE:
            named = row  # nobody can see whose it is, and the settings say so
        if named is not None:
            yield _trial(named, where) if trial else finding("offline-key-here", named, _lies(named), where=where)
        elif key.identity is not None and key.identity in former:
            row_name = former[key.identity]
            what = f"the file of a {row_name.value} key that an earlier root named lies on the serving host"
            yield finding("former-key-here", row_name, what, where=where)
    for one in here:
        if one.row is RowName.ROOT and one.is_elsewhere:
            what = "the configuration of the serving host names a root key in a device or a cloud"
            yield finding("offline-key-callable", one.row, what, where=one.uri)


def file_findings(here: Collection[KeyHere], scan: Scan, home: Path) -> Iterator[Finding]:
    """Key files that are weakly protected, or that cannot be read."""
    for key, row, where in _all_files(here, scan, home):
        yield from _protection(key, row, where)
    for one in here:
        if one.is_elsewhere and one.identity is None:
            what = "this key lives in a device or a cloud, which was not opened"
            yield finding("not-looked-at", one.row, what, where=one.uri)
        elif one.error is not None and not (one.gone and one.row in OFFLINE):  # gone is where those should be
            yield finding("key-unreadable", one.row, f"this key cannot be read: {one.error}", where=one.uri)
    if not scan.complete:
        what = f"{scan.looked_at} files of the home were looked through for keys, and there are others"
        yield finding("scan-incomplete", None, what)


def _protection(key: SeenKey, row: RowName | None, where: str) -> Iterator[Finding]:
    if key.mode & _OTHERS_MAY:
        yield finding("file-readable", row, f"other users may use this key file (mode {key.mode:04o})", where=where)
    if not key.encrypted:
        yield finding("file-unencrypted", row, "this key file is not encrypted", where=where)
    elif not key.openssh:
        yield finding("file-form", row, "this key file is not in OpenSSH's form", where=where)
    elif key.rounds is not None and key.rounds < ROUNDS_LEAST:
        what = f"the passphrase of this key file is stretched by {key.rounds} rounds only, of {ROUNDS_LEAST} or more"
        yield finding("file-weak", row, what, where=where)


def _all_files(here: Collection[KeyHere], scan: Scan, home: Path) -> Iterator[tuple[SeenKey, RowName | None, str]]:
    """Every key in a file, once: with the row and URI under which it is configured, or where it was found."""
    configured: set[tuple[Path, bytes | None]] = set()
    for one in here:
        if one.seen is not None:
            configured.add((one.seen.path, one.seen.identity))
            yield one.seen, one.row, one.uri
    for key in scan.keys:
        if (key.path, key.identity) not in configured:
            yield key, None, str(key.path.relative_to(home) if key.path.is_relative_to(home) else key.path)


def _offline(named: Collection[tuple[RowName, bytes]]) -> Mapping[bytes, RowName]:
    return {identity: row for row, identity in named if row in OFFLINE}


def _trial(row: RowName, where: str) -> Finding:
    what, mend = _TRIAL[row]
    return finding("offline-key-here", row, what, where=where, mend=mend)


def _lies(row: RowName) -> str:
    return f"the file of a {row.value} key lies on the serving host"
