"""A member's trust repository, read over real HTTP from honest, broken and hostile peers."""

from __future__ import annotations

import base64
import gzip
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from securesystemslib.signer import (  # type: ignore[attr-defined]  # it has no __all__; documented names
    CryptoSigner,
    SSlibKey,
)
from tuf.api.metadata import Root, Timestamp  # type: ignore[attr-defined]  # it has no __all__; documented names
from tuf.ngclient.updater import Updater  # noqa: TID251 - a reader that is not ours

from hashpact_keys.rows import TrustRole
from hashpact_keys.trust import describe
from hashpact_keys.trust_files import METADATA, TIMESTAMP_FILE, FileId, TrustFiles, newest, root_fingerprint, versioned
from hashpact_node import clock
from hashpact_node.net.fetcher import Fetcher
from hashpact_node.net.trust import Peer, TrustUpdate, refresh_trust
from hashpact_node.net.trust_fetcher import TrustFetcher
from hashpact_protocol.errors import (
    CardError,
    ConfigurationError,
    FetchError,
    FetchRefusedError,
    FetchStatusError,
    FetchTimeoutError,
    FetchTooLargeError,
    HashpactError,
    StoreError,
    TrustError,
)
from hashpact_protocol.limits import LIMITS
from unit.keys.trust_simulator import NOW, Member, new_signer, raw_public, with_raw
from unit.node.net.trust_server import TrustServer, says

HOUR = timedelta(hours=1)


class Reader:
    """A node that follows one peer: what it holds between refreshes is its database."""

    def __init__(self, source: Fetcher, server: TrustServer, member: Member) -> None:
        self.source = source
        self.server = server
        self.member = member
        self.peer = Peer("acme", server.url, member.root_bytes)
        self.stored: TrustFiles = {}

    def refresh(self, *, after: timedelta = timedelta(0), deadline_seconds: float = 30.0) -> TrustUpdate:
        """Refresh over HTTP at ``NOW + after``, and store what the node would store."""
        now = NOW + after
        update = refresh_trust(self.source, self.peer, self.stored, now, deadline_seconds=deadline_seconds)
        roots = {file: data for file, data in self.stored.items() if file[1].endswith(".root.json")}
        self.stored = roots | {(METADATA, name): data for name, data in update.new_roots} | update.files
        return update

    def publish(self) -> None:
        self.server.files = dict(self.member.files)

    def accepted(self, **options: Any) -> TrustUpdate:
        """Publish, refresh, and expect that everything is verified."""
        self.publish()
        update = self.refresh(**options)
        assert update.problems == ()
        assert update.card is not None
        return update

    def refused(self, kind: type[HashpactError], words: str, **options: Any) -> TrustUpdate:
        """Refresh, and expect a problem and the card that was held before."""
        held = card_files(self.stored)
        update = self.refresh(**options)
        assert update.card is None
        assert update.card_version == 0
        assert isinstance(update.problems[0], kind), update.problems
        assert words in str(update.problems[0])
        assert update.problems[0].mend
        assert card_files(self.stored) == held
        return update


def card_files(files: TrustFiles) -> dict[FileId, bytes]:
    """What says which card is accepted."""
    return {file: data for file, data in files.items() if file[1].endswith(("targets.json", "member.json"))}


@pytest.fixture(scope="module")
def source() -> Iterator[Fetcher]:
    with Fetcher() as one:
        yield one


@pytest.fixture
def server() -> Iterator[TrustServer]:
    with TrustServer() as one:
        yield one


@pytest.fixture
def member(server: TrustServer) -> Member:
    return Member(server.url)


@pytest.fixture
def stranger(source: Fetcher, server: TrustServer, member: Member) -> Reader:
    """A reader that has pinned the member's first root and read nothing yet."""
    return Reader(source, server, member)


@pytest.fixture
def reader(stranger: Reader) -> Reader:
    """A reader that has already accepted the member's first card."""
    stranger.accepted()
    return stranger


# --- meeting ---------------------------------------------------------------------------------------------------------


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


# --- going on --------------------------------------------------------------------------------------------------------


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


def test_a_stock_client_reads_what_we_publish(server: TrustServer, tmp_path: Path) -> None:
    member = Member(server.url, now=clock.now(), roots=3)
    first = member.root_bytes
    member.rotate()
    member.publish(member.card(name="Acme"))
    server.files = member.files
    (tmp_path / "targets").mkdir()
    updater = Updater(
        str(tmp_path / "metadata"),
        f"{server.url}/trust/metadata/",
        str(tmp_path / "targets"),
        f"{server.url}/trust/targets/",
        bootstrap=first,
    )
    target = updater.get_targetinfo("member.json")
    assert target is not None
    assert Path(updater.download_target(target)).read_bytes() == member.card(name="Acme")


def test_more_than_300_roots_behind(reader: Reader) -> None:
    for _ in range(310):
        reader.member.rotate()
    update = reader.accepted()
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


# --- wrong signatures (1, 2) -----------------------------------------------------------------------------------------


def nothing(_signed: object) -> None:
    """Change nothing."""


@pytest.mark.parametrize("role", [TrustRole.TARGETS, TrustRole.SNAPSHOT, TrustRole.TIMESTAMP])
def test_metadata_by_a_stranger_is_refused(reader: Reader, role: TrustRole) -> None:
    reader.member.now += HOUR
    reader.member.publish(reader.member.card(name="Acme"))
    reader.member.edit(role, nothing, signers=[new_signer()])
    relink(reader.member, role)
    reader.publish()
    reader.refused(TrustError, "not signed by enough of the right keys")


def relink(member: Member, role: TrustRole) -> None:
    """Let snapshot and timestamp name what ``role`` now is, as the holder of the online key can."""
    if role is TrustRole.TARGETS:
        targets = newest(member.files, TrustRole.TARGETS)
        assert targets is not None

        def name_targets(snapshot: Any) -> None:
            snapshot.meta["targets.json"] = _meta(snapshot.meta["targets.json"], targets)
            snapshot.version += 1

        member.edit(TrustRole.SNAPSHOT, name_targets, signers=[member.online])
    if role in {TrustRole.TARGETS, TrustRole.SNAPSHOT}:
        snapshot_bytes = newest(member.files, TrustRole.SNAPSHOT)
        assert snapshot_bytes is not None

        def name_snapshot(timestamp: Timestamp) -> None:
            timestamp.snapshot_meta = _meta(timestamp.snapshot_meta, snapshot_bytes)

        member.edit(TrustRole.TIMESTAMP, name_snapshot, signers=[member.online])


def _meta(meta: Any, data: bytes) -> Any:
    version = json.loads(data)["signed"]["version"]
    return type(meta).from_data(version, data, ["sha256"])


def test_a_doubled_signature_is_refused(reader: Reader) -> None:
    reader.member.now += HOUR
    reader.member.renew()
    value = json.loads(reader.member.files[TIMESTAMP_FILE])
    value["signatures"] *= 2
    reader.member.files[TIMESTAMP_FILE] = json.dumps(value).encode()
    reader.publish()
    reader.refused(TrustError, "metadata is refused")


def test_a_revoked_key_is_refused(reader: Reader) -> None:
    stolen = reader.member.online
    reader.member.replace_online()
    reader.accepted()
    reader.member.now += HOUR
    reader.member.renew()
    reader.member.edit(TrustRole.TIMESTAMP, nothing, signers=[stolen])
    reader.publish()
    reader.refused(TrustError, "not signed by enough of the right keys")


def test_a_root_by_a_stranger_is_refused(reader: Reader) -> None:
    reader.member.rotate(signers=[new_signer()])
    reader.publish()
    assert reader.refused(TrustError, "not signed by enough").new_roots == ()


def doubled(signer: CryptoSigner) -> CryptoSigner:
    key = signer.public_key
    again = SSlibKey("again", key.keytype, key.scheme, {"public": key.keyval["public"].upper()})
    return CryptoSigner(signer._private_key, again)


def test_a_root_whose_threshold_one_key_meets_twice_is_refused_and_roots_before_it_are_kept(reader: Reader) -> None:
    member = reader.member
    member.rotate()
    twin = doubled(member.root[0])

    def widen(root: Root) -> None:
        root.add_key(twin.public_key, "root")
        root.roles["root"].threshold = 2

    member.rotate(widen, signers=[member.root[0], twin])
    member.now += HOUR
    member.publish(member.card(name="Acme"))
    reader.publish()
    held = reader.stored[TIMESTAMP_FILE]
    update = reader.refused(TrustError, "1 different keys of the 2")
    assert [name for name, _ in update.new_roots] == ["2.root.json"]
    assert reader.stored[TIMESTAMP_FILE] == held


@pytest.mark.parametrize("role", [TrustRole.TARGETS, TrustRole.SNAPSHOT, TrustRole.TIMESTAMP])
def test_other_roles_count_distinct_keys_too(reader: Reader, role: TrustRole) -> None:
    member = reader.member
    owner = member.targets if role is TrustRole.TARGETS else member.online
    twin = doubled(owner)

    def widen(root: Root) -> None:
        root.add_key(twin.public_key, role.value)
        root.roles[role.value].threshold = 2

    member.now += HOUR
    member.publish(member.card(name="Acme"))
    member.rotate(widen)
    member.edit(role, nothing, signers=[owner, twin])
    relink(member, role)
    reader.publish()
    update = reader.refused(TrustError, f"{role.value} is signed by 1 different keys of the 2")
    assert [name for name, _ in update.new_roots] == ["2.root.json"]


# --- rollback, freeze, recovery (3, 4, 5, 8) -------------------------------------------------------------------------


def test_rollback_of_everything_is_refused(reader: Reader) -> None:
    old = dict(reader.member.files)
    reader.member.now += HOUR
    reader.member.publish(reader.member.card(name="Acme"))
    reader.accepted()
    reader.server.files = old
    reader.refused(TrustError, "a version that must not come now")


@pytest.mark.parametrize("role", [TrustRole.SNAPSHOT, TrustRole.TARGETS])
def test_rollback_under_a_fresh_timestamp_is_refused(reader: Reader, role: TrustRole) -> None:
    reader.member.now += HOUR
    reader.member.publish(reader.member.card(name="Acme"))
    reader.accepted()

    def back(signed: Any) -> None:
        if role is TrustRole.SNAPSHOT:
            signed.version = 1
        else:
            signed.meta["targets.json"].version = 1

    reader.member.renew()
    reader.member.edit(TrustRole.SNAPSHOT, back, signers=[reader.member.online])
    if role is TrustRole.SNAPSHOT:
        reader.member.files[versioned(TrustRole.SNAPSHOT, 10**12)] = reader.member.files.pop(
            versioned(TrustRole.SNAPSHOT, 1)
        )
    relink(reader.member, TrustRole.SNAPSHOT)
    reader.member.edit(TrustRole.TIMESTAMP, _later, signers=[reader.member.online])
    reader.publish()
    reader.refused(TrustError, "a version that must not come now")


def _later(signed: Any) -> None:
    signed.version += 10


def test_a_skipped_and_a_repeated_root_version_are_refused(reader: Reader) -> None:
    reader.member.rotate()
    reader.member.rotate()
    third = reader.member.files.pop(versioned(TrustRole.ROOT, 3))
    for wrong in (third, reader.member.files[versioned(TrustRole.ROOT, 1)]):
        reader.member.files[versioned(TrustRole.ROOT, 2)] = wrong
        reader.publish()
        assert reader.refused(TrustError, "a version that must not come now").new_roots == ()


def test_mix_and_match_is_refused(reader: Reader) -> None:
    reader.member.now += HOUR
    reader.member.publish(reader.member.card(name="Acme"))
    reader.publish()
    first = newest(reader.stored, TrustRole.TARGETS)
    assert first is not None
    version = describe(reader.member.files).card_version
    reader.server.files[versioned(TrustRole.TARGETS, version)] = first
    update = reader.refused(TrustError, "")
    assert describe(update.files | reader.stored).roles[2].version > version - 1


def test_two_snapshots_of_one_version_are_refused(reader: Reader) -> None:
    reader.member.edit(TrustRole.SNAPSHOT, _longer, signers=[reader.member.online])
    relink(reader.member, TrustRole.SNAPSHOT)
    reader.member.edit(TrustRole.TIMESTAMP, _later, signers=[reader.member.online])
    reader.publish()
    reader.refused(TrustError, "another snapshot of the same version")
    reader.member.now += HOUR
    reader.member.renew()
    reader.accepted()


def _longer(signed: Any) -> None:
    signed.expires += HOUR


def test_a_frozen_repository_is_refused_once_its_timestamp_has_expired(reader: Reader) -> None:
    assert reader.accepted(after=23 * HOUR).card is not None
    reader.refused(TrustError, "has expired", after=25 * HOUR)


@pytest.mark.parametrize(("days", "what"), [(8, "snapshot"), (366, "root")])
def test_each_expiry_counts(reader: Reader, days: int, what: str) -> None:
    if what == "snapshot":

        def far(signed: Any) -> None:
            signed.expires += timedelta(days=30)
            signed.version += 1

        reader.member.edit(TrustRole.TIMESTAMP, far, signers=[reader.member.online])
        reader.publish()
    reader.refused(TrustError, "has expired", after=timedelta(days=days))


def test_time_is_the_argument_and_not_the_clock(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    def unread() -> datetime:
        raise AssertionError

    monkeypatch.setattr(clock, "now", unread)
    reader.member.now = NOW + timedelta(days=300)
    reader.member.renew()
    reader.accepted(after=timedelta(days=300))


def fast_forward(signed: Any) -> None:
    signed.version = 2**53


def test_recovery_after_a_thief_has_run_the_versions_up(reader: Reader) -> None:
    member = reader.member
    honest = dict(member.files)
    member.edit(TrustRole.SNAPSHOT, fast_forward, signers=[member.online])
    relink(member, TrustRole.SNAPSHOT)
    member.edit(TrustRole.TIMESTAMP, fast_forward, signers=[member.online])
    reader.accepted()
    assert describe(reader.stored).roles[3].version == 2**53
    member.files = honest
    member.now += HOUR
    member.replace_online()
    update = reader.accepted()
    assert update.card == member.card()
    assert describe(reader.stored).roles[3].version < 2**53


def test_recovery_from_run_up_targets_says_that_the_card_went_back(reader: Reader) -> None:
    member = reader.member
    honest = dict(member.files)
    member.edit(TrustRole.TARGETS, fast_forward, signers=[member.targets])
    relink(member, TrustRole.TARGETS)
    member.edit(TrustRole.TIMESTAMP, _later, signers=[member.online])
    reader.accepted()
    member.files = honest
    member.replace_online()
    reader.publish()
    update = reader.refresh()
    assert update.card == member.card()
    assert "went back from version 9007199254740992" in str(update.problems[0])


# --- loose bytes (9, 10) ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b'"spec_version":"1.0.31"', b'"spec_version":"2.0.0"', "spec_version"),
        (b'"version":2', b'"version":1180591620717411303424', "beyond 2^53"),
        (b'"version":2', b'"version":true', "version"),
        (b'"version":2', b'"version":2,"version":2', "twice"),
        (b'"consistent_snapshot":true', b'"consistent_snapshot":false', "consistent_snapshot"),
        (b'"_type":"root"', b'"_type":"timestamp"', "no root metadata"),
    ],
)
def test_a_loose_root_is_refused(reader: Reader, old: bytes, new: bytes, words: str) -> None:
    reader.member.rotate()
    file = versioned(TrustRole.ROOT, 2)
    reader.member.files[file] = with_raw(reader.member.files[file], old, new)
    reader.publish()
    update = reader.refused(TrustError, words)
    assert update.new_roots == ()
    assert update.problems[0].where == f"{reader.server.url}/trust/metadata/2.root.json"


@pytest.mark.parametrize("role", [TrustRole.SNAPSHOT, TrustRole.TIMESTAMP])
def test_metas_without_hashes_are_refused(reader: Reader, role: TrustRole) -> None:
    def strip(signed: Any) -> None:
        meta = signed.snapshot_meta if role is TrustRole.TIMESTAMP else signed.meta["targets.json"]
        meta.hashes = None

    reader.member.now += HOUR
    reader.member.renew()
    reader.member.edit(role, strip, signers=[reader.member.online])
    relink(reader.member, role)
    reader.publish()
    reader.refused(TrustError, "hashes")


def bad_cards(member: Member) -> dict[str, bytes]:
    return {
        "another member": member.card(member="beta"),
        "another url": member.card(url="https://other.example"),
        "no json": b"<html></html>",
        "bad schema": member.card(logs=3),
    }


@pytest.mark.parametrize("case", ["another member", "another url", "no json", "bad schema"])
def test_a_card_that_breaks_a_rule_is_refused_and_the_new_root_is_kept(reader: Reader, case: str) -> None:
    member = reader.member
    member.rotate()
    member.now += HOUR
    held = describe(reader.stored)
    put_card(member, bad_cards(member)[case])
    reader.publish()
    update = reader.refused(CardError, "")
    assert [name for name, _ in update.new_roots] == ["2.root.json"]
    assert describe(reader.stored).card == held.card
    assert describe(reader.stored).roles[2].version > held.roles[2].version
    put_card(member, member.card(name="Acme"))
    assert reader.accepted().card == member.card(name="Acme")


def put_card(member: Member, card: bytes) -> None:
    """Publish a card as a careless or hostile officer could, without any of our checks."""
    member.now += HOUR
    member.publish(member.card())
    state = describe(member.files)

    def name_card(targets: Any) -> None:
        targets.targets["member.json"] = type(targets.targets["member.json"]).from_data("member.json", card, ["sha256"])
        targets.version = state.card_version + 1

    member.edit(TrustRole.TARGETS, name_card, signers=[member.targets])
    relink(member, TrustRole.TARGETS)
    targets = newest(member.files, TrustRole.TARGETS)
    assert targets is not None
    sha256 = json.loads(targets)["signed"]["targets"]["member.json"]["hashes"]["sha256"]
    member.files["targets", f"{sha256}.member.json"] = card


@pytest.mark.parametrize("row", ["root", "targets", "online"])
def test_a_card_that_reuses_a_key_of_the_repository_is_refused(reader: Reader, row: str) -> None:
    signer = reader.member.root[0] if row == "root" else getattr(reader.member, row)
    request = {"id": "x", "from": "2026-11-24T00:00:00Z", "until": "2027-11-24T00:00:00Z"}
    request["key"] = base64.b64encode(raw_public(signer)).decode()
    put_card(reader.member, reader.member.card(request_keys=[request]))
    reader.publish()
    reader.refused(TrustError, f"one key serves as {row} key and as request key")


def test_a_card_of_65_kib_is_refused_whatever_was_signed(reader: Reader) -> None:
    put_card(reader.member, reader.member.card(name="x" * 66_560))
    reader.publish()
    reader.refused(FetchTooLargeError, "65536")


def test_targets_without_a_card_are_refused(reader: Reader) -> None:
    def clear(targets: Any) -> None:
        targets.targets.clear()
        targets.version += 1

    reader.member.edit(TrustRole.TARGETS, clear, signers=[reader.member.targets])
    relink(reader.member, TrustRole.TARGETS)
    reader.member.edit(TrustRole.TIMESTAMP, _later, signers=[reader.member.online])
    reader.publish()
    reader.refused(TrustError, "do not name member.json")


def test_a_card_whose_bytes_were_changed_is_refused(reader: Reader) -> None:
    put_card(reader.member, reader.member.card(name="Acme"))
    reader.publish()
    for file, data in reader.server.files.items():
        if file[0] == "targets":
            reader.server.files[file] = data.replace(b"Acme", b"Ecma")
    reader.refused(TrustError, "hash")


# --- the wire (6, 30-33) ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 403, 410, 429, 500, 503])
def test_only_404_ends_the_walk_over_roots(reader: Reader, status: int) -> None:
    reader.server.scripts["metadata/2.root.json"] = says(b"no", status=status)
    update = reader.refused(FetchStatusError, f"status {status}")
    assert isinstance(update.problems[0], FetchStatusError)
    assert update.problems[0].status == status


def test_roots_before_an_error_are_kept(reader: Reader) -> None:
    reader.member.rotate()
    reader.publish()
    reader.server.scripts["metadata/3.root.json"] = says(b"no", status=403)
    assert [name for name, _ in reader.refused(FetchStatusError, "403").new_roots] == ["2.root.json"]


@pytest.mark.parametrize("path", ["metadata/2.root.json", "metadata/timestamp.json"])
def test_a_login_page_is_an_error(reader: Reader, path: str) -> None:
    reader.server.scripts[path] = says(b"<!doctype html><title>Log in</title>", Content_Type="text/html")
    reader.refused(TrustError, "no JSON")


@pytest.mark.parametrize("name", ["timestamp", "snapshot", "targets", "member"])
def test_a_missing_file_is_an_error(reader: Reader, name: str) -> None:
    put_card(reader.member, reader.member.card(name="Acme"))
    kept = reader.member.files.items()
    reader.server.files = {
        file: data for file, data in kept if not file[1].endswith(f"{name}.json") or data in reader.stored.values()
    }
    if name == "timestamp":
        reader.server.files.pop(TIMESTAMP_FILE, None)
    reader.refused(FetchStatusError, "404")


@pytest.mark.parametrize("target", ["http://169.254.169.254/latest", "file:///etc/passwd", "/elsewhere"])
def test_redirects_are_refused(reader: Reader, target: str) -> None:
    reader.server.scripts["metadata/timestamp.json"] = says(b"", status=302, Location=target)
    reader.refused(FetchRefusedError, "redirect")


def endless(*, announced: bool) -> Callable[[BaseHTTPRequestHandler], None]:
    def script(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        if announced:
            handler.send_header("Content-Length", str(2**40))
        handler.end_headers()
        with suppress(OSError):
            for _ in range(1_000):
                handler.wfile.write(b"x" * 65_536)

    return script


@pytest.mark.parametrize("announced", [True, False])
@pytest.mark.parametrize("path", ["metadata/2.root.json", "metadata/timestamp.json"])
def test_endless_data_stops_at_our_cap(reader: Reader, path: str, announced: bool) -> None:  # noqa: FBT001
    reader.server.scripts[path] = endless(announced=announced)
    reader.refused(FetchTooLargeError, "524288")


def test_a_huge_signed_length_does_not_lift_the_cap(reader: Reader) -> None:
    member = reader.member
    member.now += HOUR
    member.renew()

    def lie(timestamp: Timestamp) -> None:
        timestamp.snapshot_meta.length = 2**50

    member.edit(TrustRole.TIMESTAMP, lie, signers=[member.online])
    reader.publish()
    version = describe(member.files).roles[2].version
    reader.server.scripts[f"metadata/{version}.snapshot.json"] = endless(announced=False)
    reader.refused(FetchTooLargeError, "524288")


def test_a_file_longer_than_was_signed_is_refused(reader: Reader) -> None:
    member = reader.member
    member.now += HOUR
    member.renew()
    file = versioned(TrustRole.SNAPSHOT, describe(member.files).roles[2].version)
    member.files[file] += b" " * 100
    reader.publish()
    reader.refused(TrustError, "longer than was signed")


def test_a_drip_stops_at_the_total_deadline(reader: Reader) -> None:
    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        with suppress(OSError):
            while not reader.server.stopping.wait(0.02):
                handler.wfile.write(b" ")

    reader.server.scripts["metadata/2.root.json"] = drip
    reader.refused(FetchTimeoutError, "", deadline_seconds=0.4)


def test_the_deadline_is_for_all_files_together(reader: Reader) -> None:
    class Slow:
        """Ten seconds for each file."""

        def __init__(self) -> None:
            self.now = 0.0

        def get(self, url: str, *, max_bytes: int, deadline_seconds: float) -> Any:
            assert deadline_seconds <= 25.0 - self.now
            self.now += 10.0
            with Fetcher() as source:
                return source.get(url, max_bytes=max_bytes, deadline_seconds=5.0)

    slow = Slow()
    fetcher = TrustFetcher(slow, deadline_seconds=25.0, monotonic=lambda: slow.now)
    for _ in range(3):
        fetcher.read(f"{reader.server.url}/trust/metadata/1.root.json")
    with pytest.raises(FetchTimeoutError, match="longer than 25 seconds"):
        fetcher.read(f"{reader.server.url}/trust/metadata/1.root.json")


def test_a_connection_that_is_cut_is_an_error(reader: Reader) -> None:
    def cut(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b"{")
        handler.close_connection = True

    reader.server.scripts["metadata/timestamp.json"] = cut
    reader.refused(FetchError, "")
    del reader.server.scripts["metadata/timestamp.json"]
    reader.accepted()


def test_a_compressed_bomb_stops_at_our_cap(reader: Reader) -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    reader.server.scripts["metadata/timestamp.json"] = says(bomb, Content_Encoding="gzip")
    reader.refused(FetchTooLargeError, "524288")


def test_a_proxy_that_compresses_is_understood(reader: Reader) -> None:
    reader.member.now += HOUR
    reader.member.renew()
    body = gzip.compress(reader.member.files[TIMESTAMP_FILE])
    reader.server.scripts["metadata/timestamp.json"] = says(body, Content_Encoding="gzip")
    reader.accepted()
    assert reader.stored[TIMESTAMP_FILE] == reader.member.files[TIMESTAMP_FILE]


def test_a_scratch_folder_that_cannot_be_written_is_said(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/nonexistent/folder")
    with pytest.raises(StoreError, match=r"scratch folder.*TMPDIR"):
        reader.refresh()
