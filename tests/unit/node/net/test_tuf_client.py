from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hashpact_node import clock
from hashpact_node.net.fetcher import Fetcher
from hashpact_node.net.tuf_client import FILE_MAX_BYTES, download_target, init_client, refresh_client
from hashpact_protocol.errors import (
    ConfigurationError,
    FetchRefusedError,
    FetchStatusError,
    FetchTooLargeError,
    NotFoundError,
    TrustError,
)
from publisher import Publisher, flipped, says


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    with Publisher(now=clock.now()) as publisher:
        yield publisher


@pytest.fixture
def fetcher() -> Iterator[Fetcher]:
    fetcher = Fetcher()
    yield fetcher
    fetcher.close()


@pytest.fixture
def metadata(tmp_path: Path, publisher: Publisher) -> Path:
    root = tmp_path / "given.json"
    root.write_bytes(publisher.root_file)
    init_client(tmp_path / "metadata", root)
    return tmp_path / "metadata"


def metadata_url(publisher: Publisher) -> str:
    return f"{publisher.url}/trust/metadata"


def test_it_refreshes_in_the_order_of_the_workflow(publisher: Publisher, fetcher: Fetcher, metadata: Path) -> None:
    refresh_client(fetcher, metadata, metadata_url(publisher))
    asked = [path.rpartition("/")[2] for path in publisher.paths("/trust/")]
    version = publisher.card_version
    assert [asked[0], asked[1], asked[3]] == ["2.root.json", "timestamp.json", f"{version}.targets.json"]
    assert asked[2].endswith(".snapshot.json")
    assert len(asked) == 4
    for name in ("root.json", "timestamp.json", "snapshot.json", "targets.json"):
        assert (metadata / name).is_file(), name


def test_it_downloads_a_target_once(publisher: Publisher, fetcher: Fetcher, metadata: Path, tmp_path: Path) -> None:
    base = f"{publisher.url}/trust/targets/"
    for _ in range(2):
        found = download_target(
            fetcher, metadata, metadata_url(publisher), name="member.json", base_url=base, folder=tmp_path / "targets"
        )
    assert found.read_bytes() == publisher.card()
    assert len(publisher.paths("/trust/targets/")) == 1
    with pytest.raises(NotFoundError):
        download_target(
            fetcher, metadata, metadata_url(publisher), name="other.json", base_url=base, folder=tmp_path / "targets"
        )


def test_wrong_signatures_are_refused(publisher: Publisher, fetcher: Fetcher, metadata: Path) -> None:
    publisher.alter("/trust/metadata/timestamp.json", flipped)
    with pytest.raises(TrustError):
        refresh_client(fetcher, metadata, metadata_url(publisher))
    assert not (metadata / "timestamp.json").exists()


@pytest.mark.parametrize(
    ("status", "headers", "error"),
    [(403, {}, FetchStatusError), (500, {}, FetchStatusError), (302, {"Location": "/x"}, FetchRefusedError)],
)
def test_only_404_ends_the_roots(
    publisher: Publisher,
    fetcher: Fetcher,
    metadata: Path,
    *,
    status: int,
    headers: dict[str, str],
    error: type[Exception],
) -> None:
    publisher.alter("/trust/metadata/2.root.json", says(b"no", status, **headers))
    with pytest.raises(error):
        refresh_client(fetcher, metadata, metadata_url(publisher))


def test_nothing_is_read_beyond_the_cap(publisher: Publisher, fetcher: Fetcher, metadata: Path) -> None:
    publisher.alter("/trust/metadata/timestamp.json", says(b" " * (FILE_MAX_BYTES + 1)))
    with pytest.raises(FetchTooLargeError):
        refresh_client(fetcher, metadata, metadata_url(publisher))


def test_it_needs_a_root(publisher: Publisher, fetcher: Fetcher, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        refresh_client(fetcher, tmp_path, metadata_url(publisher))
    with pytest.raises(ConfigurationError):
        init_client(tmp_path / "metadata", tmp_path / "nowhere.json")
