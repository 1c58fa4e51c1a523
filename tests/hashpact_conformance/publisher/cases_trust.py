"""Trust: from the pinned root to the member card."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import pytest

from hashpact_conformance import clock
from hashpact_conformance.cases import Layer, case
from hashpact_conformance.publisher.site import Site
from hashpact_conformance.publisher.trust_chain import NOT_FOUND, Chain, SignedFile, check_signed, public_der
from hashpact_protocol.card import Card, parse_card
from hashpact_protocol.errors import HashpactError
from hashpact_protocol.limits import LIMITS

RULE = "docs/protocol.md, Trust"
READING = "docs/protocol.md, Trust: reading"
ROWS = "docs/protocol.md, Trust: rows of keys"
ROLES = ("root", "timestamp", "snapshot", "targets")
KEY_TYPES = {"ed25519", "ecdsa", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"}


def files(chain: Chain) -> dict[str, SignedFile]:
    return dict(zip(ROLES, (chain.root, chain.timestamp, chain.snapshot, chain.targets), strict=True))


@case(Layer.TRUST, "The pinned root is served under its version, byte for byte", RULE)
def test_pinned_root(site: Site, chain: Chain) -> None:
    served = site.get(f"trust/metadata/{chain.pinned.version}.root.json").ok()
    assert served.body == chain.pinned.data, f"{served.url} is another root than the one given out"


@case(Layer.TRUST, "The walk over roots ends with a 404", f"{READING}, 6")
def test_roots_end(chain: Chain) -> None:
    assert chain.end.status == NOT_FOUND, f"{chain.end.url} answers {chain.end.status}: readers take that for an error"


@case(Layer.TRUST, "Each root is signed by the thresholds of the one before and of itself", f"{READING}, 5")
def test_roots_signed(chain: Chain) -> None:
    before = chain.pinned
    check_signed(before, "root", before)
    for root in chain.roots:
        assert root.version == before.version + 1, f"{root.path} says version {root.version}"
        check_signed(before, "root", root)
        check_signed(root, "root", root)
        before = root


@case(Layer.TRUST, "{role} is signed by as many distinct keys as the root asks for", f"{READING}, 4")
@pytest.mark.parametrize("role", ROLES[1:])
def test_signed(chain: Chain, role: str) -> None:
    check_signed(chain.root, role, files(chain)[role])


@case(Layer.TRUST, "{role} has not expired", READING)
@pytest.mark.parametrize("role", ROLES)
def test_not_expired(chain: Chain, role: str) -> None:
    file = files(chain)[role]
    assert expires(file) > clock.now(), f"{file.path} has expired at {file.signed.get('expires')}"


@case(Layer.TRUST, "{role} is valid for at most {days} days ahead, so that a thief cannot freeze it for long", ROWS)
@pytest.mark.parametrize(("role", "days"), [("timestamp", 1), ("snapshot", 7), ("targets", 366), ("root", 366)])
def test_validity(chain: Chain, role: str, days: int) -> None:
    file = files(chain)[role]
    ahead = expires(file) - clock.now()
    assert ahead <= timedelta(days=days, minutes=5), f"{file.path} is valid for {ahead} more"


@case(Layer.TRUST, "{role} is strict JSON within its limit", f"{READING}, 1")
@pytest.mark.parametrize("role", ROLES)
def test_strict(chain: Chain, role: str) -> None:
    file = files(chain)[role]
    assert file.whole
    assert len(file.data) <= LIMITS.trust_metadata_max_bytes, f"{file.path} has {len(file.data)} bytes"
    assert file.version >= 1


@case(Layer.TRUST, "All metadata are of TUF 1.x and of the role that they are served as", f"{READING}, 2")
def test_form(chain: Chain) -> None:
    for role, file in files(chain).items():
        assert file.signed.get("_type") == role, f"{file.path} is of the type {file.signed.get('_type')}"
        spec = str(file.signed.get("spec_version"))
        assert spec.startswith("1."), f"{file.path} is of TUF {spec}"


@case(Layer.TRUST, "Roots use consistent snapshots and the four top-level roles alone", f"{READING}, 2")
def test_root_form(chain: Chain) -> None:
    for root in (chain.pinned, *chain.roots):
        assert root.signed.get("consistent_snapshot") is True, f"{root.path} has no consistent snapshots"
        assert set(root.signed.get("roles", {})) == set(ROLES), f"{root.path} has the roles {root.signed.get('roles')}"


@case(Layer.TRUST, "All keys are Ed25519 or ECDSA", f"{READING}, 3")
def test_key_types(chain: Chain) -> None:
    kinds = {str(key.get("keytype")) for key in chain.root.signed.get("keys", {}).values()}
    assert kinds <= KEY_TYPES, f"there are keys of the types {sorted(kinds - KEY_TYPES)}"


@case(Layer.TRUST, "No key stands in two rows, in the root and the card together", ROWS)
def test_rows(chain: Chain, card: Card) -> None:
    root = chain.root.metadata().signed
    rows = [("root", ("root",)), ("targets", ("targets",)), ("online", ("snapshot", "timestamp"))]
    used: dict[bytes, str] = {}
    for row, roles in rows:
        keys = {public_der(root.keys[key_id]) for role in roles for key_id in root.roles[role].keyids}
        for key in keys:
            assert key not in used, f"one key serves the rows {used[key]} and {row}"
            used[key] = row
    raw = {bytes.fromhex(key.keyval["public"]) for key in root.keys.values() if key.keytype == "ed25519"}
    shared = [row for row, public in card.public_keys() if public in raw]
    assert not shared, f"a key of the root serves the row {shared[0]} of the card, too"


@case(Layer.TRUST, "{by} names {of} with version, length and SHA-256, and they are right", f"{READING}, 2")
@pytest.mark.parametrize(("by", "of"), [("timestamp", "snapshot"), ("snapshot", "targets")])
def test_meta(chain: Chain, by: str, of: str) -> None:
    file = files(chain)[of]
    told = chain.named(files(chain)[by], f"{of}.json")
    assert told.get("version") == file.version, f"{by} names version {told.get('version')} of {of}"
    assert told.get("length") == len(file.data), f"{by} tells {told.get('length')} bytes of {of}, not {len(file.data)}"
    found = hashlib.sha256(file.data).hexdigest()
    assert told.get("hashes", {}).get("sha256") == found, f"{by} tells another SHA-256 of {of} than {found}"


@case(Layer.TRUST, "targets name the card with its length and SHA-256", f"{READING}, 2")
def test_card_file(chain: Chain) -> None:
    found = hashlib.sha256(chain.card).hexdigest()
    assert chain.target.get("length") == len(chain.card), f"targets tell {chain.target.get('length')} bytes of the card"
    assert chain.target.get("hashes", {}).get("sha256") == found, f"{chain.card_path} has the SHA-256 {found}"


@case(Layer.TRUST, "The card is one that no reader refuses", "docs/protocol.md, Card")
def test_card(card: Card) -> None:
    assert card.logs, "the card names no log: there is nothing to follow"


@case(Layer.TRUST, "The card keeps to its limit of 65 536 bytes", "docs/protocol.md, Card")
def test_card_size(chain: Chain) -> None:
    assert len(chain.card) <= LIMITS.card_max_bytes


@case(Layer.TRUST, "A card pinned under another member's id would be refused", "docs/protocol.md, Card")
def test_card_names_its_member(chain: Chain, card: Card) -> None:
    with pytest.raises(HashpactError):
        parse_card(chain.card, member=f"{card.member[:60]}-x", url=card.url)


@case(Layer.TRUST, "A witness key of the card is valid today", "docs/protocol.md, Card: keys")
def test_witness_key(card: Card) -> None:
    valid = [key for key in card.witness_keys if key.valid_from <= clock.now() <= key.valid_until]
    assert valid, "no witness key of the card is valid now: nothing can show how fresh the logs are"


@case(Layer.TRUST, "{path} is not there", RULE)
@pytest.mark.parametrize(
    "path",
    [
        "metadata/0.root.json",
        "metadata/01.root.json",
        "metadata/4294967296.root.json",
        "metadata/1.mirrors.json",
        "metadata/",
        "targets/" + "0" * 64 + ".member.json",
        "targets/../metadata/timestamp.json",
        "metadata/%74imestamp.json",
        "metadata/..%2f..%2f..%2fetc%2fpasswd",
    ],
    ids=lambda path: path.replace("0" * 64, "zeros"),
)
def test_absent(site: Site, path: str) -> None:
    status = site.raw_get(f"trust/{path}")
    assert 400 <= status < 500, f"GET {site.url}/trust/{path} answers {status}"


@case(
    Layer.TRUST, "timestamp may be asked for anew, and everything else is kept for ever", "docs/protocol.md, Transfer"
)
def test_caching(chain: Chain) -> None:
    for path, answer in chain.answers.items():
        if path.endswith("timestamp.json"):
            assert {"public", "no-cache"} <= answer.cache(), f"{path} has Cache-Control {answer.cache()}"
        else:
            expected = {"public", "max-age=31536000", "immutable"}
            assert expected <= answer.cache(), f"{path} has Cache-Control {answer.cache()}"


@case(
    Layer.TRUST, "The end of the roots may not be cached as if there never were another", "docs/protocol.md, Transfer"
)
def test_missing_root_is_not_kept(chain: Chain) -> None:
    assert "immutable" not in chain.end.cache(), f"{chain.end.url} has Cache-Control {chain.end.cache()}"
    assert not any(part.startswith("max-age") and part != "max-age=0" for part in chain.end.cache())


def expires(file: SignedFile) -> datetime:
    text = str(file.signed.get("expires"))
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise AssertionError(f"{file.path} expires at {text[:60]!r}, which is no time") from None
