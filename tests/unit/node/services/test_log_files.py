from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import pytest
import zstandard

from hashpact_node.services.drafts import ListingDraft
from hashpact_node.services.log_files import LogFiles
from hashpact_node.store.database import Database
from hashpact_node.store.logs import LogTerms, put_card_logs
from hashpact_protocol.errors import ConfigurationError, NotFoundError, RequestError
from hashpact_protocol.growth import read_range
from hashpact_protocol.merkle import leaf_hash
from hashpact_protocol.notes import parse_checkpoint, parse_note
from hashpact_protocol.tiles import TileId, TileReader, decode_bundle, decode_tile, parse_path
from members import add_member, sha256
from own_member import OwnMember

SIZE = 600
PATH = "listings-1"


@pytest.fixture
def files(acme: OwnMember) -> LogFiles:
    acme.publisher.publish([ListingDraft("image", (sha256(number),)) for number in range(SIZE)])
    # What waits, and what has a place and no checkpoint yet, is not shown.
    acme.publisher.publish([ListingDraft("image", (sha256(SIZE),))], wait=False)
    assert acme.releaser._place(acme.log.number)
    acme.publisher.publish([ListingDraft("image", (sha256(SIZE + 1),))], wait=False)
    return LogFiles(acme.database)


def test_what_is_served_hashes_to_the_checkpoint(files: LogFiles) -> None:
    shown = files.checkpoint(PATH)
    checkpoint = parse_checkpoint(parse_note(shown.body).text)
    assert checkpoint.size == SIZE
    assert shown.media_type.startswith("text/plain")
    assert shown.card_version is not None
    assert shown.etag == f'"{hashlib.sha256(shown.body).hexdigest()[:32]}"'
    assert not shown.immutable

    def read(level: int, number: int, width: int) -> list[bytes]:
        return decode_tile(files.tile(PATH, TileId(level, number, width)).body, width)

    assert read_range(SIZE, TileReader(SIZE, read).node).root() == checkpoint.root
    entries = decode_bundle(files.tile(PATH, TileId(None, 2, 88)).body, 88)
    assert [leaf_hash(entry) for entry in entries] == read(0, 2, 88)


def test_a_bundle_comes_in_the_coding_that_the_reader_takes(files: LogFiles) -> None:
    for path in ("tile/entries/000", "tile/entries/001.p/7", "tile/entries/002.p/88"):
        tile = parse_path(path)
        plain = files.tile(PATH, tile)
        assert plain.encoding == "identity"
        assert len(decode_bundle(plain.body, tile.width)) == tile.width
        packed = files.tile(PATH, tile, accepts={"gzip", "zstd"})
        assert packed.encoding == "zstd"
        assert zstandard.ZstdDecompressor().decompress(packed.body) == plain.body
        zipped = files.tile(PATH, tile, accepts={"gzip"})
        assert zipped.encoding == "gzip"
        assert gzip.decompress(zipped.body) == plain.body
        assert {plain.etag, packed.etag, zipped.etag} == {""}  # none is computed that nobody sends
        assert plain.immutable is packed.immutable is (tile.width == 256)


def test_a_partial_tile_is_cut_from_a_wider_one(files: LogFiles) -> None:
    whole = files.tile(PATH, TileId(0, 0)).body
    assert files.tile(PATH, TileId(0, 0, 3)).body == whole[:96]
    assert files.tile(PATH, TileId(1, 0, 1)).body == files.tile(PATH, TileId(1, 0, 2)).body[:32]


def test_nothing_is_served_beyond_what_is_shown(files: LogFiles) -> None:
    places = [
        (None, 2, 89),
        (None, 2, 256),
        (None, 3, 1),
        (0, 2, 89),
        (1, 0, 3),
        (1, 0, 256),
        (2, 0, 1),
        (63, 2**60, 1),
    ]
    for place in places:
        with pytest.raises(NotFoundError, match="shown up to 600 entries"):
            files.tile(PATH, TileId(*place))


def test_no_other_path_is_a_log(files: LogFiles) -> None:
    for path in ("listings-2", "", "../listings-1", "listings-1/", "Listings-1", "%2e%2e"):
        with pytest.raises(NotFoundError, match="there is no log"):
            files.checkpoint(path)
        with pytest.raises(NotFoundError, match="there is no log"):
            files.tile(path, TileId(None, 0, 1))


def test_others_logs_are_not_served_as_own(acme: OwnMember) -> None:
    origin = "acme.example/logs/beta"  # a reader would refuse such a card; the database holds it none the less
    add_member(acme.database, "beta", LogTerms("listings", "listings", origin, f"https://{origin}", "open", ()))
    with pytest.raises(NotFoundError, match="there is no log"):
        LogFiles(acme.database).checkpoint("beta")


def test_a_log_without_a_release_has_no_checkpoint(acme: OwnMember) -> None:
    with pytest.raises(NotFoundError, match="released nothing yet"):
        LogFiles(acme.database).checkpoint(PATH)
    acme.releaser.release(acme.log.number)
    shown = LogFiles(acme.database).checkpoint(PATH)
    assert parse_checkpoint(parse_note(shown.body).text).size == 0


def test_a_closed_log_is_not_served(acme: OwnMember, files: LogFiles) -> None:
    log = acme.log
    terms = LogTerms(log.name, log.kind, log.origin, log.url, "closed", log.keys, final_size=1, final_root=bytes(32))
    with acme.database.write() as connection:
        put_card_logs(connection, log.peer, [terms])
    with pytest.raises(NotFoundError, match="is closed") as caught:
        files.checkpoint(PATH)
    assert caught.value.mend


def test_before_init_there_is_nothing(database: Database) -> None:
    with pytest.raises(ConfigurationError, match="no member yet"):
        LogFiles(database).checkpoint(PATH)


def test_trust_files_are_those_of_the_own_repository(acme: OwnMember) -> None:
    files = LogFiles(acme.database)
    root = files.trust_file("metadata", "1.root.json")
    assert root.body.startswith(b"{")
    assert root.immutable
    assert not files.trust_file("metadata", "timestamp.json").immutable
    for place, name in (("metadata", "2.root.json"), ("metadata", "../1.root.json"), ("keys", "x"), ("targets", "")):
        with pytest.raises(NotFoundError, match="no such file"):
            files.trust_file(place, name)


def test_an_export_is_what_is_served(acme: OwnMember, files: LogFiles, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    folder = tmp_path / "out"
    assert files.export(PATH, folder, lambda done, total: seen.append((done, total))) == SIZE
    written = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    assert sorted(written) == [
        "checkpoint",
        "tile/0/000",
        "tile/0/001",
        "tile/0/002.p/88",
        "tile/1/000.p/2",
        "tile/entries/000",
        "tile/entries/001",
        "tile/entries/002.p/88",
    ]
    assert written.pop("checkpoint").read_bytes() == files.checkpoint(PATH).body
    for path, file in written.items():
        assert file.read_bytes() == files.tile(PATH, parse_path(path)).body
    assert seen == [(number, 8) for number in range(1, 9)]
    before = (folder / "tile/entries/000").stat().st_mtime_ns
    acme.releaser.release(acme.log.number)
    assert files.export(PATH, folder) == SIZE + 2
    assert (folder / "tile/entries/000").stat().st_mtime_ns == before
    assert (folder / "tile/entries/002.p/90").exists()


def test_an_export_to_no_folder_says_so(files: LogFiles, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RequestError, match="cannot be written"):
        files.export(PATH, tmp_path / "file")
