"""Take the files of root and targets keys out of the home, and prove that none is left there.

A key that an earlier root named is taken out, too: with it somebody who pins that earlier root could be deceived.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from hashpact_keys.keystore import write_key_file
from hashpact_keys.named_keys import former_root_keys, newest_root_keys
from hashpact_keys.rows import ROWS, RowName
from hashpact_keys.seen_files import SeenKey, scan_folder
from hashpact_node.services.key_places import KeyPlaces
from hashpact_node.services.own_cards import own_trust
from hashpact_node.store.database import Database
from hashpact_protocol.errors import ConflictError, KeyUnavailableError, RequestError


@dataclass(frozen=True, slots=True)
class TakenOut:
    """One key file that was in the home: the row that it served, where it lay, and where it is now, None if nowhere."""

    row: str
    path: Path
    to: Path | None


@dataclass(frozen=True, slots=True)
class Emptied:
    """What was taken out, and the proof: how many files of the home were looked through, and none has such a key."""

    taken: tuple[TakenOut, ...]
    looked_at: int


def take_out(database: Database, places: KeyPlaces, home: Path, *, to: Path | None) -> Emptied:
    """Move every file of the home that holds a root or targets key, present or former, into ``to``.

    Without ``to``, files of former keys are destroyed, and one of a present key is refused. Raises RequestError for a
    folder within the home, ConflictError for a present key or a file that is there already, KeyUnavailableError when a
    file cannot be written or is still there, StoreError.
    """
    if to is not None and to.resolve().is_relative_to(home.resolve()):
        raise RequestError("this folder lies within the home", where=str(to), mend="give one on another medium")
    with database.read() as connection:
        files = own_trust(connection).files
    newest, former = (_offline(named) for named in (newest_root_keys(files), former_root_keys(files)))
    found = [key for key in scan_folder(home).keys if key.identity in newest or key.identity in former]
    present = [key for key in found if key.identity in newest]
    if to is None and present:
        raise ConflictError(
            "this key signs for this member still, and would be lost",
            where=str(present[0].path),
            mend="move it with --to FOLDER, or let a ceremony replace it first",
        )
    rows = {**former, **newest}
    taken = [_take(key, rows[key.identity or b""], to) for key in found]
    _drop_lines(places, home, [one.path for one in taken])
    scan = scan_folder(home)
    left = next((key for key in scan.keys if key.identity in rows), None)
    if left is not None or not scan.complete:
        raise KeyUnavailableError(
            "it is not proven that no root or targets key is left in the home",
            where=str(home if left is None else left.path),
            mend="take what lies there out by hand, and run this again",
        )
    return Emptied(tuple(taken), scan.looked_at)


def _offline(named: frozenset[tuple[RowName, bytes]]) -> dict[bytes, RowName]:
    return {identity: row for row, identity in named if not ROWS[row].on_serving_host}


def _take(key: SeenKey, row: RowName, to: Path | None) -> TakenOut:
    place = None if to is None else to / key.path.name
    try:
        data = key.path.read_bytes()
        if place is not None:
            write_key_file(place, data)
            if place.read_bytes() != data:
                raise KeyUnavailableError("what was written there reads otherwise", where=str(place))
        with key.path.open("r+b") as file:  # a disk may keep more than this, and the documents say so
            file.write(os.urandom(len(data)))
            file.flush()
            os.fsync(file.fileno())
        key.path.unlink()
    except OSError as error:
        raise KeyUnavailableError(
            f"this key file cannot be taken out: {error.strerror}",
            where=str(key.path),
            mend="see that both folders may be written; a copy that was made is left where it is",
        ) from error
    return TakenOut(row.value, key.path, place)


def _drop_lines(places: KeyPlaces, home: Path, gone: list[Path]) -> None:
    for row in (name for name, one in ROWS.items() if not one.on_serving_host):
        for uri in places.get(row.value, ()):
            if uri.startswith("file:") and home / uri.removeprefix("file:") in gone:
                places.remove(row, uri)
