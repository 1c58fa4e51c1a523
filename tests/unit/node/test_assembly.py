from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hashpact_node.assembly import Node, open_node, open_settings
from hashpact_node.services.drafts import ListingDraft
from hashpact_node.store.database import Database
from hashpact_protocol.errors import ConfigurationError, StoreError
from members import sha256
from own_member import NOW, OwnMember, found_member

PASSPHRASE = b"passphrase of a test"


@pytest.fixture
def acme(database: Database, database_url: str, tmp_path: Path) -> OwnMember:
    return found_member(database, tmp_path / "home", database_url)


def opened(acme: OwnMember, *, releases: bool = True) -> Node:
    return open_node(acme.settings, lambda: PASSPHRASE, releases=releases, now=lambda: NOW)


def test_the_parts_of_a_node_work_together(acme: OwnMember) -> None:
    node = opened(acme)
    try:
        assert node.member == "acme"
        (published,) = node.publisher.publish([ListingDraft("image", (sha256(1),))])
        assert (published.index, published.size) == (0, 1)
        assert node.blocklist.counts()["block"] == 1
        assert [change.op for change in node.change_feed.changes().changes] == ["set"]
        assert node.log_files.checkpoint("listings-1").body == acme.log.accepted_note
        assert node.peering.list() == []
    finally:
        node.close()


def test_where_another_releases_nothing_is_released_here(acme: OwnMember) -> None:
    node = opened(acme, releases=False)
    try:
        (published,) = node.publisher.publish([ListingDraft("image", (sha256(1),))], wait=False)
        assert published.index is None
    finally:
        node.close()


def test_no_key_is_asked_for_before_it_is_needed(acme: OwnMember) -> None:
    asked: list[str] = []

    def passphrase() -> bytes:
        asked.append("passphrase")
        return PASSPHRASE

    node = open_node(acme.settings, passphrase, now=lambda: NOW)
    try:
        assert asked == []
        node.upkeep.release_waiting()
        assert asked == ["passphrase"]
    finally:
        node.close()


def test_one_of_several_nodes_leads(acme: OwnMember) -> None:
    first, second = opened(acme), opened(acme)
    try:
        leader, other = first.leader(), second.leader()
        assert leader.try_lead()
        assert not other.try_lead()
        leader.resign()
        assert other.try_lead()
        other.resign()
    finally:
        first.close()
        second.close()


def test_the_settings_of_a_home(acme: OwnMember, tmp_path: Path) -> None:
    assert open_settings(acme.home, {"HASHPACT_PORT": "9000"}).port == 9000
    assert open_settings(acme.home, {}).member == "acme"
    with pytest.raises(ConfigurationError, match="there is no node in this folder") as caught:
        open_settings(tmp_path, {})
    assert caught.value.mend is not None
    assert "hashpact init" in caught.value.mend


def test_a_policy_that_cannot_be_used_is_refused_at_the_start(acme: OwnMember, tmp_path: Path) -> None:
    settings = replace(acme.settings, require_witnesses=tmp_path / "witness.policy")
    with pytest.raises(ConfigurationError, match="policy file cannot be read"):
        open_node(settings, lambda: PASSPHRASE)


def test_another_members_database_is_refused(acme: OwnMember) -> None:
    with pytest.raises(ConfigurationError, match=r"is that of acme, and node\.toml says beta"):
        open_node(replace(acme.settings, member="beta"), lambda: PASSPHRASE)


def test_a_database_of_nobody_is_refused(acme: OwnMember, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'empty.db'}"
    with pytest.raises(ConfigurationError, match="is that of nobody"):
        open_node(replace(acme.settings, database_url=url), lambda: PASSPHRASE)


def test_a_file_that_is_no_database_is_refused(acme: OwnMember, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("this is no database, and long enough to be taken for one " * 100)
    with pytest.raises(StoreError):
        open_node(replace(acme.settings, database_url=f"sqlite:///{path}"), lambda: PASSPHRASE)
