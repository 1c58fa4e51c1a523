"""Meeting a member and going on with its trust repository, over real HTTP."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from tuf.ngclient.updater import Updater  # noqa: TID251 - a reader that is not ours

from hashpact_keys.rows import TrustRole
from hashpact_keys.trust import describe
from hashpact_keys.trust_files import METADATA, root_fingerprint, versioned
from hashpact_node import clock
from hashpact_protocol.errors import (
    ConfigurationError,
    FetchStatusError,
    TrustError,
)
from hashpact_protocol.limits import LIMITS
from unit.keys.trust_simulator import Member, with_raw
from unit.node.net.trust_reader import Reader, card_files
from unit.node.net.trust_server import TrustServer, says

HOUR = timedelta(hours=1)


@pytest.mark.parametrize("pin", ["file", "fingerprint"])
def test_first_contact(stranger: Reader, pin: str) -> None:
    if pin == "fingerprint":
        stranger.peer = replace(stranger.peer, pinned=root_fingerprint(stranger.member.root_bytes))
    update = stranger.accepted()
    assert update.card == stranger.member.card()
    assert update.card_version == describe(stranger.member.files).card_version
    assert update.new_roots == (("1.root.json", stranger.member.root_bytes),)
    assert stranger.stored == stranger.member.files


def test_first_contact_walks_from_an_old_pin_to_the_newest_root(stranger: Reader) -> None:
    stranger.member.rotate()
    stranger.member.rotate()
    update = stranger.accepted()
    assert [name for name, _ in update.new_roots] == ["1.root.json", "2.root.json", "3.root.json"]


def test_a_root_that_was_met_is_kept_though_nothing_else_can_be_read(stranger: Reader) -> None:
    stranger.publish()
    stranger.server.scripts["metadata/timestamp.json"] = says(b"no", status=500)
    update = stranger.refused(FetchStatusError, "500")
    assert update.new_roots == (("1.root.json", stranger.member.root_bytes),)
    assert update.files == {}


def test_another_fingerprint_is_refused(stranger: Reader) -> None:
    stranger.peer = replace(stranger.peer, pinned="1:sha256:" + "0" * 64)
    stranger.publish()
    with pytest.raises(TrustError, match=r"was pinned.*by another channel"):
        stranger.refresh()
    assert stranger.server.requests == ["metadata/1.root.json"]


def test_a_fingerprint_of_a_root_that_is_not_there_is_said(stranger: Reader) -> None:
    stranger.peer = replace(stranger.peer, pinned="7:sha256:" + "0" * 64)
    with pytest.raises(FetchStatusError, match="404"):
        stranger.refresh()


@pytest.mark.parametrize("pin", ["", "sha256:00", "0:sha256:" + "0" * 64, "1:sha256:" + "A" * 64, "x" * 1_000])
def test_what_is_no_fingerprint_is_refused(stranger: Reader, pin: str) -> None:
    stranger.peer = replace(stranger.peer, pinned=pin)
    with pytest.raises(ConfigurationError, match="N:sha256:HEX"):
        stranger.refresh()


@pytest.mark.parametrize("pin", [b"", b"<html></html>"])
def test_a_pinned_file_that_is_no_root_is_refused(stranger: Reader, pin: bytes) -> None:
    stranger.peer = replace(stranger.peer, pinned=pin)
    with pytest.raises(TrustError, match="pinned root"):
        stranger.refresh()


def test_a_pinned_root_that_nobody_signed_is_refused(stranger: Reader) -> None:
    other = Member(stranger.server.url)
    root = json.loads(stranger.member.root_bytes)
    root["signatures"] = json.loads(other.root_bytes)["signatures"]
    stranger.peer = replace(stranger.peer, pinned=json.dumps(root).encode())
    with pytest.raises(TrustError, match="root is signed by 0"):
        stranger.refresh()


def test_a_stored_root_that_was_damaged_is_said(reader: Reader) -> None:
    file = versioned(TrustRole.ROOT, 1)
    reader.stored[file] = with_raw(reader.stored[file], b'"version":1', b'"version":2')
    with pytest.raises(TrustError, match="not signed by enough"):
        reader.refresh()


def test_no_news_asks_for_root_and_timestamp_alone(reader: Reader) -> None:
    reader.server.requests.clear()
    update = reader.accepted()
    assert reader.server.requests == ["metadata/2.root.json", "metadata/timestamp.json"]
    assert update.new_roots == ()
    assert update.card == reader.member.card()


def test_a_new_card_takes_the_old_ones_place(reader: Reader) -> None:
    reader.member.now += HOUR
    reader.member.publish(reader.member.card(name="Acme"))
    update = reader.accepted()
    assert update.card == reader.member.card(name="Acme")
    assert update.card_version == describe(reader.member.files).card_version
    assert len(card_files(reader.stored)) == 2
    assert len(reader.stored) == 5


def test_a_renewal_brings_no_new_card(reader: Reader) -> None:
    reader.member.now += HOUR
    reader.member.renew()
    reader.server.requests.clear()
    before = card_files(reader.stored)
    reader.accepted()
    assert card_files(reader.stored) == before
    assert not any(name.endswith(("member.json", "targets.json")) for name in reader.server.requests)


def test_the_card_is_fetched_again_when_the_database_lost_it(reader: Reader) -> None:
    before = dict(reader.stored)
    reader.stored = {file: data for file, data in before.items() if file[0] == METADATA}
    reader.accepted()
    assert reader.stored == before


def test_a_stock_client_reads_what_we_publish(trust_server: TrustServer, tmp_path: Path) -> None:
    member = Member(trust_server.url, now=clock.now(), roots=3)
    first = member.root_bytes
    member.rotate()
    member.publish(member.card(name="Acme"))
    trust_server.files = member.files
    (tmp_path / "targets").mkdir()
    updater = Updater(
        str(tmp_path / "metadata"),
        f"{trust_server.url}/trust/metadata/",
        str(tmp_path / "targets"),
        f"{trust_server.url}/trust/targets/",
        bootstrap=first,
    )
    target = updater.get_targetinfo("member.json")
    assert target is not None
    assert Path(updater.download_target(target)).read_bytes() == member.card(name="Acme")


def test_more_than_300_roots_behind(reader: Reader) -> None:
    for _ in range(310):
        reader.member.rotate()
    update = reader.accepted(deadline_seconds=600)  # many roots, on a machine that may be busy
    assert len(update.new_roots) == 310
    assert root_fingerprint(update.new_roots[-1][1]).startswith("311:")


def test_a_longer_walk_than_the_cap_goes_on_at_the_next_look(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hashpact_node.net.trust.LIMITS", replace(LIMITS, root_rotations_max=3))
    for _ in range(3):
        reader.member.rotate()
    reader.member.replace_online()
    reader.publish()
    update = reader.refused(TrustError, "not signed by enough")
    assert len(update.new_roots) == 3
    assert "more than 3 new roots" in str(update.problems[-1])
    assert reader.accepted().new_roots[0][0] == "5.root.json"
