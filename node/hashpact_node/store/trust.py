"""The files of members' trust repositories, as they came; ``place`` is ``metadata`` or ``targets``."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import Connection, delete, select
from sqlmodel import col

from hashpact_node.store.database import upsert
from hashpact_node.store.tables import TrustFile

METADATA = "metadata"
TARGETS = "targets"
ROOT_SUFFIX = ".root.json"

FileName = tuple[str, str]


def load_files(connection: Connection, peer: int) -> dict[FileName, bytes]:
    """Load all files of a member, by (place, name)."""
    query = select(col(TrustFile.place), col(TrustFile.name), col(TrustFile.data)).where(col(TrustFile.peer) == peer)
    return {(place, name): data for place, name, data in connection.execute(query)}


def read_file(connection: Connection, peer: int, place: str, name: str) -> bytes | None:
    """Read one file of a member; None if there is none."""
    query = select(col(TrustFile.data)).where(
        col(TrustFile.peer) == peer, col(TrustFile.place) == place, col(TrustFile.name) == name
    )
    return connection.execute(query).scalar_one_or_none()


def newest_root(connection: Connection, peer: int) -> bytes | None:
    """Read the newest root that is held of a member; None if there is none."""
    query = select(col(TrustFile.name)).where(
        col(TrustFile.peer) == peer, col(TrustFile.place) == METADATA, col(TrustFile.name).like(f"%{ROOT_SUFFIX}")
    )
    names = connection.execute(query).scalars()
    newest = max(names, key=lambda name: int(name.removesuffix(ROOT_SUFFIX)), default=None)
    return None if newest is None else read_file(connection, peer, METADATA, newest)


def newest_root_version(connection: Connection, peer: int) -> int | None:
    """Give the version of the newest root that is held of a member; None if there is none."""
    names = select(col(TrustFile.name)).where(
        col(TrustFile.peer) == peer, col(TrustFile.place) == METADATA, col(TrustFile.name).like(f"%{ROOT_SUFFIX}")
    )
    versions = [int(name.removesuffix(ROOT_SUFFIX)) for name in connection.execute(names).scalars()]
    return max(versions, default=None)


def save_files(connection: Connection, peer: int, files: Mapping[FileName, bytes]) -> None:
    """Add files of a member, or replace those of the same place and name."""
    rows = [{"peer": peer, "place": place, "name": name, "data": data} for (place, name), data in sorted(files.items())]
    upsert(connection, TrustFile, rows, keys=("peer", "place", "name"))


def prune_files(connection: Connection, peer: int, keep: Collection[FileName]) -> int:
    """Delete what is not in ``keep``, but never a root; how many files went.

    Roots stay for good: who meets the member later walks over all of them (TUF 1.0, section 5.3).
    """
    query = select(col(TrustFile.place), col(TrustFile.name)).where(col(TrustFile.peer) == peer)
    stored = [(row.place, row.name) for row in connection.execute(query)]
    gone = [file for file in stored if file not in keep and not _is_root(file)]
    for place, name in gone:
        condition = (col(TrustFile.peer) == peer, col(TrustFile.place) == place, col(TrustFile.name) == name)
        connection.execute(delete(TrustFile).where(*condition))
    return len(gone)


def _is_root(file: FileName) -> bool:
    place, name = file
    return place == METADATA and name.endswith(ROOT_SUFFIX)
