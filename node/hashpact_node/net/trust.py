"""Read a trust repository: TUF's own client, unmodified, with our checks around it (docs/protocol.md, Trust).

The client writes to its folder before we have checked anything, so each refresh runs in a scratch folder that is laid
from the database. Out of it come new roots, one by one up to the first that our checks refuse; then timestamp and
snapshot as far as they are verified; and targets and card only when everything holds.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from tuf.api.exceptions import (
    DownloadError,
    RepositoryError,
)
from tuf.ngclient.config import UpdaterConfig  # noqa: TID251 - net is where tuf.ngclient is known
from tuf.ngclient.updater import Updater  # noqa: TID251 - net is where tuf.ngclient is known

from hashpact_keys.rows import TrustRole
from hashpact_keys.trust_checks import check_role, check_root, check_rows, check_snapshot
from hashpact_keys.trust_files import (
    METADATA,
    TIMESTAMP_FILE,
    FileId,
    TrustFiles,
    card_file,
    card_of,
    newest,
    root_fingerprint,
    version_of,
    versioned,
    versions,
)
from hashpact_keys.trust_form import CARD_PATH
from hashpact_node.net.trust_errors import hashpact_error, trust_error
from hashpact_node.net.trust_fetcher import TrustFetcher, TrustSource
from hashpact_protocol.card import parse_card
from hashpact_protocol.directory import DIRECTORY_PATH, parse_directory
from hashpact_protocol.errors import (
    CardError,
    ConfigurationError,
    DirectoryError,
    FetchError,
    HashpactError,
    StoreError,
    TrustError,
)
from hashpact_protocol.limits import LIMITS
from hashpact_protocol.names import FINGERPRINT

DEADLINE_SECONDS: Final = 120.0
"""For one refresh as a whole; 1 024 roots fit into it at ten a second."""

_KEEP: Final = "the last accepted card stays in force; ask the member what happened"
_SAVED: Final = (TrustRole.TIMESTAMP, TrustRole.SNAPSHOT)


@dataclass(frozen=True, slots=True)
class Peer:
    """Whose trust repository is read, and what it was pinned by: a root file, or its fingerprint ``N:sha256:HEX``.

    ``path`` names its product: a member's card, or a directory, which has no member id of its own.
    """

    member: str
    url: str
    pinned: bytes | str
    path: str = CARD_PATH

    @property
    def product_max_bytes(self) -> int:
        """How long its product may be."""
        return LIMITS.directory_max_bytes if self.path == DIRECTORY_PATH else LIMITS.card_max_bytes

    def check(self, root: bytes, data: bytes, where: str) -> None:
        """Check the product under a root that is trusted; raises CardError, DirectoryError and TrustError."""
        if self.path == DIRECTORY_PATH:
            parse_directory(data)
        else:
            check_rows(root, parse_card(data, member=self.member, url=self.url), where=where)


@dataclass(frozen=True, slots=True)
class TrustUpdate:
    """What one refresh brought.

    ``new_roots`` are file names and contents, in order, to be stored even when all else fails. ``files`` are all
    other files that are to be held from now on. ``card`` is the card, or the directory, of version ``card_version`` if
    everything was verified now, new or not; otherwise ``None`` and 0. ``problems`` are to be shown to people; without a
    card, the first says why there is none.
    """

    new_roots: tuple[tuple[str, bytes], ...]
    files: TrustFiles
    card: bytes | None = None
    card_version: int = 0
    problems: tuple[HashpactError, ...] = ()


def refresh_trust(
    source: TrustSource,
    peer: Peer,
    stored: Mapping[FileId, bytes],
    now: datetime,
    *,
    deadline_seconds: float = DEADLINE_SECONDS,
) -> TrustUpdate:
    """Bring a peer's trust repository up to date; ``stored`` is what the database holds of it.

    The client reads the clock when it is made; its reference time is then set to ``now``, before it judges an expiry.

    Raises:
        TrustError, FetchError: the first contact failed: no root that agrees with the pin can be had.
        ConfigurationError: the pin is no fingerprint.
        StoreError: the scratch folder could not be written.
    """
    fetcher = TrustFetcher(source, deadline_seconds=deadline_seconds, product_max_bytes=peer.product_max_bytes)
    bootstrap = newest(stored, TrustRole.ROOT)
    first: TrustFiles = {}
    if bootstrap is None:
        bootstrap = _first_root(fetcher, peer)
        first = {versioned(TrustRole.ROOT, version_of(TrustRole.ROOT, bootstrap, where=peer.url)): bootstrap}
    try:
        with tempfile.TemporaryDirectory(prefix="hashpact-trust-") as folder:
            refresh = _Refresh(fetcher, peer, stored, bootstrap, Path(folder))
            update = refresh.run(now)
    except OSError as error:
        raise StoreError(
            f"the scratch folder for a trust repository could not be used: {error.strerror}",
            where=tempfile.gettempdir(),
            mend="make room there, or point TMPDIR to a folder with room",
        ) from error
    roots = tuple((name, data) for (_, name), data in first.items())
    return replace(update, new_roots=roots + update.new_roots)


def _first_root(fetcher: TrustFetcher, peer: Peer) -> bytes:
    """The root that the operator pinned: given whole, or fetched and compared with its fingerprint."""
    if isinstance(peer.pinned, bytes):
        check_root(peer.pinned, None, where="pinned root")
        return peer.pinned
    match = FINGERPRINT.fullmatch(peer.pinned)
    if match is None:
        raise ConfigurationError(
            "this is no fingerprint of a root",
            where=peer.pinned[:100],
            mend="write N:sha256:HEX, as the member's 'hashpact keys status' prints it",
        )
    where = f"{peer.url}/trust/metadata/{match[1]}.root.json"
    root = fetcher.read(where)
    if root_fingerprint(root) != peer.pinned:
        raise TrustError(
            f"the root served has the fingerprint {root_fingerprint(root)}, and {peer.pinned} was pinned",
            where=where,
            mend="ask the member for its fingerprint by another channel; do not trust this address before they agree",
        )
    check_root(root, None, where=where)
    return root


class _Refresh:
    """One run of TUF's client in a scratch folder, and the judgement of what it left there."""

    def __init__(
        self, fetcher: TrustFetcher, peer: Peer, stored: Mapping[FileId, bytes], bootstrap: bytes, folder: Path
    ) -> None:
        self._fetcher = fetcher
        self._peer = peer
        self._stored = stored
        self._bootstrap = bootstrap
        self._metadata = folder / "metadata"
        self._targets = folder / "targets"
        self._where = f"{peer.url}/trust"

    def run(self, now: datetime) -> TrustUpdate:
        self._lay()
        try:
            updater = self._updater(now)
        except RepositoryError as error:
            raise trust_error(error, self._where) from error
        problem = _drive(updater, self._where)
        root, new_roots, refusal = self._accepted_roots()
        update = TrustUpdate(tuple(new_roots), _without_roots(self._stored))
        if refusal is not None:
            return replace(update, problems=(refusal,))
        files, refusal = self._saved(root, update.files)
        update = replace(update, files=files)
        try:
            if problem is None and refusal is None:
                return self._with_card(update, updater, root)
        except (TrustError, CardError, DirectoryError, FetchError) as error:
            problem = error
        problems = [error for error in (problem, refusal, _long_walk(new_roots, self._where)) if error is not None]
        return replace(update, problems=tuple(problems))

    def _lay(self) -> None:
        """Write what the database holds where TUF's client looks for what it has verified before."""
        self._metadata.mkdir()
        self._targets.mkdir()
        for role in (TrustRole.TIMESTAMP, TrustRole.SNAPSHOT, TrustRole.TARGETS):
            data = newest(self._stored, role)
            if data is not None:
                (self._metadata / f"{role.value}.json").write_bytes(data)
        targets = newest(self._stored, TrustRole.TARGETS)
        if targets is not None:
            card = self._stored.get(card_of(targets, where=self._where), b"")
            (self._targets / self._peer.path).write_bytes(card)

    def _updater(self, now: datetime) -> Updater:
        """Make TUF's client.

        Raises:
            RepositoryError: the root to start from does not verify itself.
        """
        cap = LIMITS.trust_metadata_max_bytes
        updater = Updater(
            metadata_dir=str(self._metadata),
            metadata_base_url=f"{self._where}/metadata/",
            target_dir=str(self._targets),
            target_base_url=f"{self._where}/targets/",
            fetcher=self._fetcher,
            config=UpdaterConfig(
                max_root_rotations=LIMITS.root_rotations_max,
                root_max_length=cap,
                timestamp_max_length=cap,
                snapshot_max_length=cap,
                targets_max_length=cap,
            ),
            bootstrap=self._bootstrap,
        )
        # The client offers no argument for it and has read the system's clock; nothing has been judged by it yet.
        updater._trusted_set.reference_time = now  # noqa: SLF001
        return updater

    def _accepted_roots(self) -> tuple[bytes, list[tuple[str, bytes]], TrustError | None]:
        """The newest root that our checks accept, all that are new up to it, and why the one after it is refused."""
        root, accepted = self._bootstrap, list[tuple[str, bytes]]()
        version = version_of(TrustRole.ROOT, root, where=self._where)
        while True:
            version += 1
            _, name = versioned(TrustRole.ROOT, version)
            file = self._metadata / "root_history" / name
            if not file.exists():
                return root, accepted, None
            data = file.read_bytes()
            try:
                check_root(data, root, where=f"{self._where}/metadata/{name}")
            except TrustError as error:
                return root, accepted, error
            accepted.append((name, data))
            root = data

    def _saved(self, root: bytes, files: TrustFiles) -> tuple[TrustFiles, TrustError | None]:
        """The files with timestamp and snapshot as far as they are verified, and why they are not further."""
        for role in _SAVED:
            file = self._metadata / f"{role.value}.json"
            if not file.exists():
                break
            data = file.read_bytes()
            try:
                check_role(root, role, data, where=f"{self._where}/metadata/{file.name}")
            except TrustError as error:
                return files, error
            files = _replaced(files, role, data)
        return files, None

    def _with_card(self, update: TrustUpdate, updater: Updater, root: bytes) -> TrustUpdate:
        """Targets and card, when all our checks hold.

        Raises:
            TrustError, CardError, DirectoryError, FetchError: they are refused or cannot be had.
        """
        where = f"{self._where}/targets/{self._peer.path}"
        timestamp, snapshot, targets = (self._read(role) for role in (*_SAVED, TrustRole.TARGETS))
        check_snapshot(timestamp, snapshot, where=f"{self._where}/metadata/timestamp.json")
        check_role(root, TrustRole.TARGETS, targets, where=f"{self._where}/metadata/targets.json")
        data = _download_card(updater, self._peer.path, where)
        self._peer.check(root, data, where)
        version = version_of(TrustRole.TARGETS, targets, where=self._where)
        files = _replaced(update.files, TrustRole.TARGETS, targets)
        files = {file: content for file, content in files.items() if file[0] == METADATA}
        files[card_file(hashlib.sha256(data).hexdigest(), self._peer.path)] = data
        problems = self._went_back(version)
        return replace(update, files=files, card=data, card_version=version, problems=problems)

    def _read(self, role: TrustRole) -> bytes:
        return (self._metadata / f"{role.value}.json").read_bytes()

    def _went_back(self, version: int) -> tuple[TrustError, ...]:
        last = max(versions(self._stored, TrustRole.TARGETS), default=version)
        if version >= last:
            return ()
        what = f"the card went back from version {last} to {version}, which a new online key allows"
        return (TrustError(what, where=self._where, mend="ask the member whether it has just recovered from a theft"),)


def _drive(updater: Updater, where: str) -> HashpactError | None:
    """Let TUF's client do all of its work; give what stopped it."""
    try:
        updater.refresh()
    except (RepositoryError, DownloadError) as error:
        return hashpact_error(error, where)
    return None


def _download_card(updater: Updater, name: str, where: str) -> bytes:
    """The card, or the directory, from the scratch folder if it is still the one that targets name."""
    try:
        target = updater.get_targetinfo(name)
        if target is None:
            raise TrustError(f"targets do not name {name}", where=where, mend=_KEEP)
        path = updater.find_cached_target(target) or updater.download_target(target)
    except (RepositoryError, DownloadError) as error:
        raise hashpact_error(error, where) from error
    return Path(path).read_bytes()


def _without_roots(files: Mapping[FileId, bytes]) -> TrustFiles:
    held = {versioned(TrustRole.ROOT, version) for version in versions(files, TrustRole.ROOT)}
    return {file: data for file, data in files.items() if file not in held}


def _replaced(files: TrustFiles, role: TrustRole, data: bytes) -> TrustFiles:
    """The files with one role's metadata in place of all that was held of it."""
    if role is TrustRole.TIMESTAMP:
        return {**files, TIMESTAMP_FILE: data}
    old = {versioned(role, version) for version in versions(files, role)}
    kept = {file: content for file, content in files.items() if file not in old}
    return {**kept, versioned(role, version_of(role, data, where=role.value)): data}


def _long_walk(new_roots: list[tuple[str, bytes]], where: str) -> TrustError | None:
    if len(new_roots) < LIMITS.root_rotations_max:
        return None
    what = f"there may be more than {LIMITS.root_rotations_max} new roots; the next look goes on from here"
    return TrustError(what, where=where, mend="look again")
