from __future__ import annotations

import base64
from datetime import timedelta

from hashpact_keys.findings import Severity
from hashpact_keys.rows import RowName
from hashpact_keys.trust_checks import ed25519_identity
from hashpact_protocol.notes import KeyType, VerifierKey
from unit.keys.key_home import TRIAL, KeyHome
from unit.keys.trust_simulator import new_public, new_signer

DAY = timedelta(days=1)


def severities(home: KeyHome, code: str) -> list[Severity]:
    return [one.severity for one in home.look().findings if one.code == code]


def test_one_root_key_of_one_is_too_few(trial: KeyHome) -> None:
    assert ("root-threshold", "root") in trial.found()
    what = next(one.what for one in trial.look().findings if one.code == "root-threshold")
    assert what.startswith("1 of 1")


def test_so_is_one_of_three_and_two_of_two(production: KeyHome) -> None:
    assert ("root-threshold", "root") not in production.found()
    production.member.rotate(lambda root: setattr(root.roles["root"], "threshold", 1))
    assert ("root-threshold", "root") in production.found()
    gone = production.member.root[0].public_key.keyid

    def two_of_two(root: object) -> None:
        root.roles["root"].threshold = 2  # type: ignore[attr-defined]  # a Root
        root.revoke_key(gone, "root")  # type: ignore[attr-defined]  # a Root

    production.member.rotate(two_of_two)
    assert ("root-threshold", "root") in production.found()


def test_fewer_online_keys_than_must_sign(production: KeyHome) -> None:
    other = new_signer()

    def both(root: object) -> None:
        for role in ("snapshot", "timestamp"):
            root.add_key(other.public_key, role)  # type: ignore[attr-defined]  # a Root
            root.roles[role].threshold = 2  # type: ignore[attr-defined]  # a Root

    production.member.rotate(both)
    assert production.found() == {("too-few-keys", "online"), ("key-missing", "online")}
    production.uris[RowName.ONLINE] += ("pkcs11:object=online",)
    assert production.found() == {("not-looked-at", "online")}


def test_a_key_whose_private_half_is_not_here(trial: KeyHome) -> None:
    trial.uris[RowName.WITNESS] = ()
    trial.uris[RowName.ONLINE] = ()
    assert trial.found() == TRIAL | {("key-missing", "witness"), ("key-missing", "online")}
    assert severities(trial, "key-missing") == [Severity.ERROR] * 2


def test_it_is_no_error_while_another_key_of_the_row_is_here(trial: KeyHome) -> None:
    origin = "acme.example/logs/listings-1"
    log = trial.member.card_value()["logs"][0]
    keys = [str(VerifierKey(origin, KeyType.ED25519, key)) for key in (trial.member.release, new_public())]
    trial.value(logs=[{**log, "keys": keys}])
    assert trial.found() == TRIAL | {("key-missing", "release")}
    assert severities(trial, "key-missing") == [Severity.WARNING]


def test_a_key_in_a_device_may_be_the_one(trial: KeyHome) -> None:
    uri = "pkcs11:token=acme;object=release"
    trial.uris[RowName.RELEASE] = (uri,)
    assert trial.found() == TRIAL | {("not-looked-at", "release")}
    trial.around["opened"] = {uri: trial.member.release}
    assert trial.found() == TRIAL
    assert next(key.public for key in trial.look().keys if key.row is RowName.RELEASE) == trial.member.release
    trial.around["opened"] = {uri: new_public()}
    assert trial.found() == TRIAL | {("key-missing", "release"), ("key-not-named", "release")}


def test_keys_out_of_their_time_need_not_be_here(trial: KeyHome) -> None:
    trial.uris[RowName.REQUEST] = ()
    assert ("key-missing", "request") in trial.found()
    assert ("key-missing", "request") not in trial.found(365 * DAY)


def test_a_key_that_nothing_names_any_more(trial: KeyHome) -> None:
    trial.create("keys/old.key")
    for row in (RowName.ONLINE, RowName.RELEASE, RowName.WITNESS, RowName.REQUEST):
        trial.uris[row] = (f"file:keys/{row.value}.key", "file:keys/old.key")
        assert ("key-not-named", row.value) in trial.found()
        trial.uris[row] = (f"file:keys/{row.value}.key",)
    assert trial.found() == TRIAL


def test_a_log_key_may_wait_for_its_first_log(trial: KeyHome) -> None:
    trial.create("keys/crisis-2.key")
    trial.uris[RowName.CRISIS] = ("file:keys/crisis-2.key",)
    assert trial.found() == TRIAL


def test_one_key_in_two_rows_of_the_configuration(trial: KeyHome) -> None:
    trial.uris[RowName.CRISIS] = trial.uris[RowName.RELEASE]
    assert trial.found() == TRIAL | {("reused-in-rows", "release")}
    trial.uris[RowName.CRISIS] = ("file:keys/copy.key",)
    (trial.path / "keys/copy.key").write_bytes((trial.path / "keys/release.key").read_bytes())
    (trial.path / "keys/copy.key").chmod(0o600)
    assert trial.found() == TRIAL | {("reused-in-rows", "release")}


def test_one_key_of_a_device_in_two_rows(trial: KeyHome) -> None:
    trial.uris[RowName.CRISIS] = trial.uris[RowName.RELEASE] = ("pkcs11:object=one",)
    assert ("reused-in-rows", "release") in trial.found()


def test_one_key_of_two_members(trial: KeyHome) -> None:
    ours, theirs = (ed25519_identity(key, "") for key in (trial.member.witness, new_public()))
    trial.around["others"] = {"beta": [theirs], "gamma": []}
    assert trial.found() == TRIAL
    trial.around["others"] = {"beta": [ours, theirs], "gamma": [theirs]}
    assert trial.found() == TRIAL | {("reused-by-members", "witness"), ("reused-by-members", None)}
    said = [one.what for one in trial.look().findings if one.code == "reused-by-members"]
    assert "beta and gamma" in said[0]
    assert "our witness key" in said[1]


def test_the_same_for_an_online_key_in_another_s_root(trial: KeyHome) -> None:
    trial.around["others"] = {"beta": [ed25519_identity(trial.public[RowName.ONLINE], "")]}
    assert trial.found() == TRIAL | {("reused-by-members", "online")}


def test_a_rotation_that_nobody_finished(trial: KeyHome) -> None:
    other = trial.create("keys/request-2.key")
    trial.uris[RowName.REQUEST] += ("file:keys/request-2.key",)
    old = trial.member.card_value()["request_keys"][0]
    new = {**old, "id": "acme-request-2", "key": base64.b64encode(other).decode(), "until": "2027-12-24T00:00:00Z"}
    trial.value(request_keys=[old, {**new, "from": "2026-11-24T04:00:00Z"}])
    assert trial.found(14 * DAY) - trial.found(2 * DAY) == set()
    after = timedelta(days=14, seconds=1)
    assert trial.found(after) - trial.found(14 * DAY) == {("rotation-unfinished", "request")}
    trial.value(request_keys=[new])
    assert ("rotation-unfinished", "request") not in trial.found(after)


def test_a_rotation_of_a_log_key_begins_with_its_file(trial: KeyHome) -> None:
    origin = "acme.example/logs/listings-1"
    other = trial.create("keys/release-2.key", age=13 * DAY)
    trial.touch("keys/release.key", 100 * DAY)
    trial.uris[RowName.RELEASE] += ("file:keys/release-2.key",)
    keys = [str(VerifierKey(origin, KeyType.ED25519, key)) for key in (trial.member.release, other)]
    trial.value(logs=[{**trial.member.card_value()["logs"][0], "keys": keys}])
    assert trial.found() == TRIAL
    trial.touch("keys/release-2.key", 15 * DAY)
    assert trial.found() == TRIAL | {("rotation-unfinished", "release")}
