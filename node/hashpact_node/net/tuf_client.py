"""TUF's client on our fetcher, for any TUF repository: what the public suite *tuf-conformance* drives.

Members' repositories are read by :mod:`hashpact_node.net.trust`, whose checks go far beyond TUF's; here is only what a
plain TUF client does, so that what lies between it and the network can be tested by others' cases.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from tuf.api.exceptions import DownloadError, RepositoryError
from tuf.ngclient.config import UpdaterConfig  # noqa: TID251 - net is where tuf.ngclient is known
from tuf.ngclient.updater import Updater  # noqa: TID251 - net is where tuf.ngclient is known

from hashpact_node.net.trust_errors import hashpact_error
from hashpact_node.net.trust_fetcher import TrustFetcher, TrustSource
from hashpact_protocol.errors import ConfigurationError, NotFoundError
from hashpact_protocol.limits import LIMITS

DEADLINE_SECONDS: Final = 120.0
FILE_MAX_BYTES: Final = 16 * 1024 * 1024
"""No file is read further, metadata or target, whatever length was signed."""

ROOT_FILE: Final = "root.json"
_Done = TypeVar("_Done")


class AnyFileFetcher(TrustFetcher):
    """Fetches files of any TUF repository, capped, with one deadline for all, and without redirects."""

    def read(self, url: str) -> bytes:
        """Fetch one file, whatever it holds; raises FetchError."""
        return self.read_capped(url, FILE_MAX_BYTES)


def init_client(metadata: Path, root: Path) -> None:
    """Begin with this root; raises ConfigurationError where it cannot be read or the folder not be written."""
    try:
        metadata.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root, metadata / ROOT_FILE)
    except OSError as error:
        raise ConfigurationError(f"the root cannot be taken: {error.strerror}", where=str(root)) from error


def refresh_client(source: TrustSource, metadata: Path, url: str) -> None:
    """Bring the top-level metadata in a folder up to date; raises TrustError and FetchError."""
    _run(url, lambda: _updater(source, metadata, url).refresh())


def download_target(source: TrustSource, metadata: Path, url: str, *, name: str, base_url: str, folder: Path) -> Path:
    """Download a target unless it is there already, and give where; raises NotFoundError, TrustError and FetchError."""
    folder.mkdir(parents=True, exist_ok=True)

    def work() -> Path:
        updater = _updater(source, metadata, url, folder, base_url)
        info = updater.get_targetinfo(name)
        if info is None:
            raise NotFoundError("the repository has no such target", where=name)
        return Path(updater.find_cached_target(info) or updater.download_target(info))

    return _run(url, work)


def _updater(
    source: TrustSource, metadata: Path, url: str, folder: Path | None = None, base_url: str | None = None
) -> Updater:
    if not (metadata / ROOT_FILE).exists():
        raise ConfigurationError("there is no root here yet", where=str(metadata), mend="run `init` first")
    return Updater(
        metadata_dir=str(metadata),
        metadata_base_url=url,
        target_dir=None if folder is None else str(folder),
        target_base_url=base_url,
        fetcher=AnyFileFetcher(source, deadline_seconds=DEADLINE_SECONDS),
        config=UpdaterConfig(max_root_rotations=LIMITS.root_rotations_max),
        bootstrap=None,
    )


def _run(url: str, work: Callable[[], _Done]) -> _Done:
    """Do a step of the client, with its errors told as ours."""
    try:
        return work()
    except (RepositoryError, DownloadError) as error:
        raise hashpact_error(error, url) from error
