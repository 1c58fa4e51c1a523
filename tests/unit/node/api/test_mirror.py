from __future__ import annotations

from hashpact_node.services.drafts import ListingDraft
from hashpact_node.store.peers import REMOVED, set_state
from hashpact_protocol.merkle import leaf_hash
from hashpact_protocol.tiles import decode_bundle, decode_tile
from hashpact_protocol.witness import origin_hash
from members import add_member, listing, sha256
from own_member import ORIGIN
from serving import Served

OWN = f"/mirror/{origin_hash(ORIGIN)}"
THEIRS = f"/mirror/{origin_hash('beta.example/logs/listings-1')}"


def test_own_logs_are_mirrored_as_they_are_shown(served: Served) -> None:
    served.node.publisher.publish([ListingDraft("image", (sha256(number),)) for number in range(300)])
    for path in ("checkpoint", "tile/entries/000", "tile/entries/001.p/44", "tile/0/000", "tile/1/000.p/1"):
        mirrored, shown = served.get(f"{OWN}/{path}"), served.get(f"/logs/listings-1/{path}")
        assert (mirrored.status_code, mirrored.content) == (200, shown.content)
        assert mirrored.headers["cache-control"] == shown.headers["cache-control"]
    etag = served.get(f"{OWN}/checkpoint").headers["etag"]
    assert served.get(f"{OWN}/checkpoint", headers={"If-None-Match": etag}).status_code == 304
    assert served.get(f"{OWN}/tile/entries/001.p/45").status_code == 404


def test_followed_logs_are_mirrored_as_far_as_they_are_held(served: Served) -> None:
    peer, (log,) = add_member(served.node.database, "beta")
    log.append(*(listing(number, sha256(number)) for number in range(3)))
    entries = decode_bundle(served.get(f"{THEIRS}/tile/entries/000.p/3").content, 3)
    hashes = decode_tile(served.get(f"{THEIRS}/tile/0/000.p/3").content, 3)
    assert [leaf_hash(entry) for entry in entries] == hashes
    assert served.get(f"{THEIRS}/tile/entries/000.p/4").status_code == 404
    assert served.get(f"{THEIRS}/checkpoint").status_code == 404  # none of it is accepted
    with served.node.database.write() as connection:
        set_state(connection, peer.number, REMOVED)
    assert served.get(f"{THEIRS}/tile/entries/000.p/3").status_code == 404


def test_every_other_path_is_none(sqlite_served: Served) -> None:
    for path in ("/mirror", "/mirror/", OWN, f"{OWN.upper()}/checkpoint", f"/mirror/{'0' * 64}/checkpoint", f"{OWN}/x"):
        assert sqlite_served.get(path).status_code == 404
    assert sqlite_served.raw_get(f"{OWN}/%63heckpoint")[0] == 404
