"""The doctor's look at the home's disk and files: room, and who else may read what is secret."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hashpact_node.services.doctor_kinds import Diagnosis, Level, diagnosis, well
from hashpact_node.services.doctor_visit import Visit
from hashpact_node.settings import NODE_TOML, Settings

MEBIBYTE: Final = 1024 * 1024
FREE_WARNING: Final = 5 * 1024 * MEBIBYTE
FREE_ERROR: Final = 512 * MEBIBYTE
FREE_SHARE: Final = 10
"""A disk is nearly full below 5 GiB or a tenth, whichever is less."""

INODES_WARNING: Final = 10_000
_OTHERS_MAY: Final = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class Room:
    """What is left of a disk, in bytes and files; ``files`` is None where the file system does not count them."""

    free: int
    total: int
    files: int | None


def check_disk(visit: Visit) -> Iterator[Diagnosis]:
    """Say how much room there is for the home, and for the database if that is a file."""
    file = None if visit.database is None else visit.database.file
    places = [visit.settings.home] if file is None else [visit.settings.home, file.parent]
    seen: set[int] = set()
    for place in places:
        device = place.stat().st_dev
        if device not in seen:
            seen.add(device)
            yield from judge_room(room_of(place), place)


def room_of(place: Path) -> Room:
    """Look how much is left of the disk of a folder; OSError."""
    usage, state = shutil.disk_usage(place), os.statvfs(place)
    return Room(usage.free, usage.total, state.f_favail if state.f_files else None)


def judge_room(room: Room, place: Path) -> Iterable[Diagnosis]:
    """Judge what is left of a disk."""
    gibibytes = room.free / (1024 * MEBIBYTE)
    if room.free < min(FREE_WARNING, room.total // FREE_SHARE) or room.free < FREE_ERROR:
        level = Level.ERROR if room.free < FREE_ERROR else Level.WARNING
        yield diagnosis("disk-nearly-full", f"{gibibytes:.1f} GiB are left of this disk", where=str(place), level=level)
    else:
        yield well(f"{gibibytes:,.0f} GiB are free", str(place))
    if room.files is not None and room.files < INODES_WARNING:
        yield diagnosis("inodes-nearly-gone", f"this disk has room for {room.files:,} more files", where=str(place))


def check_files(visit: Visit) -> Iterator[Diagnosis]:
    """Say which files others may read, or belong to another user; key files are the business of ``check_keys``."""
    home = visit.settings.home
    yield from _home(home, visit)
    for path in _secrets(visit):
        yield from judge_secret(path)
    yield from _owners(home)


def judge_secret(path: Path) -> Iterable[Diagnosis]:
    """Judge who may read or change a file that holds a secret; it is not opened."""
    if not path.exists():
        yield diagnosis("secret-missing", where=str(path))
        return
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & _OTHERS_MAY:
        what = f"other users may read or change this file (mode {mode:04o})"
        mend = f"run `chmod 600 {path}`, and replace what it holds if somebody else could have read it"
        yield diagnosis("secret-readable", what, where=str(path), mend=mend)


def _home(home: Path, visit: Visit) -> Iterator[Diagnosis]:
    """Others may look into the home if it lets them, and into a database elsewhere if its folder and file do."""
    mode = home.stat().st_mode
    if mode & _OTHERS_MAY:
        what = f"other users may look into the home (mode {stat.S_IMODE(mode):04o})"
        yield diagnosis("home-readable", what, where=str(home), mend=f"run `chmod 700 {home}`")
    file = None if visit.database is None else visit.database.file
    if file is None or file.resolve().is_relative_to(home.resolve()):
        return
    if file.stat().st_mode & _OTHERS_MAY and file.parent.stat().st_mode & _OTHERS_MAY:
        mend = f"run `chmod 700 {file.parent}`"
        yield diagnosis("home-readable", "other users may read the database", where=str(file), mend=mend)


def _secrets(visit: Visit) -> list[Path]:
    settings = visit.settings
    named = [settings.passphrase_file, settings.tls_key, *visit.secrets]
    if holds_password(settings):
        named.append(settings.home / NODE_TOML)
    return sorted({path for path in named if path is not None})


def holds_password(settings: Settings) -> bool:
    """Say whether ``node.toml`` may hold the database's password."""
    hidden = settings.shown_database_url != settings.database_url
    file = settings.home / NODE_TOML
    return hidden and file.exists() and "database_url" in file.read_text(encoding="utf-8", errors="replace")


def _owners(home: Path) -> Iterator[Diagnosis]:
    owner = home.stat().st_uid
    for path in sorted(home.rglob("*")):
        with suppress(FileNotFoundError):  # a running node takes files of its database away
            found = path.lstat().st_uid
            if found != owner:
                what = f"this belongs to the user {found}, and the home to {owner}"
                yield diagnosis("owner-differs", what, where=str(path))
    us = os.geteuid()
    if us not in {0, owner}:
        yield diagnosis("owner-differs", f"the home belongs to the user {owner}, and you are {us}", where=str(home))
