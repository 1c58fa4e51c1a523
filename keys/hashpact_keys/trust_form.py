"""The form that metadata of a trust repository must have before TUF looks at it (docs/protocol.md, Trust).

TUF's own parser takes the last of doubled names, ``true`` for 1, numbers of any length and metadata without hashes.
Two readers must never see different things in the same bytes, so such bytes are refused here, whoever signed them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, NoReturn

from hashpact_keys.rows import TrustRole
from hashpact_protocol.directory import DIRECTORY_PATH
from hashpact_protocol.errors import TrustError
from hashpact_protocol.limits import LIMITS

VERSION_MAX: Final = 2**53
"""The highest version number, and the largest number anywhere in metadata."""

CARD_PATH: Final = "member.json"
"""The one target of a member's trust repository."""

PRODUCTS: Final = (CARD_PATH, DIRECTORY_PATH)
"""What a trust repository is for: a member's card, or a consortium's directory; each has exactly one of them."""

KEY_KINDS: Final = [
    ["ed25519", "ed25519"],
    *(
        [kind, f"ecdsa-sha2-nistp{bits}"]
        for bits in (256, 384, 521)
        for kind in ("ecdsa", f"ecdsa-sha2-nistp{bits}")  # the second is TUF's older spelling
    ),
]
"""Key types and schemes that may sign: Ed25519 and ECDSA."""

_EXPIRES: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_SPEC_VERSION: Final = re.compile(r"1\.[0-9]+(\.[0-9]+)?")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_HASH: Final = re.compile(r"[0-9a-f]{32,128}")
_MEND: Final = "ask the member to publish correct metadata; until then the last verified state stays in force"


def check_form(role: TrustRole, data: bytes, *, where: str) -> dict[str, Any]:
    """Check the form of one metadata file and give its ``signed`` part; no signature is looked at.

    Raises:
        TrustError: too long, no strict JSON, or a field that does not have its form.
    """
    check = _Checker(where)
    document = check.table(parse_strict(data, where=where), "the document")
    check.sequence(document.get("signatures"), "signatures")
    signed = check.table(document.get("signed"), "signed")
    if signed.get("_type") != role.value:
        check.refuse(f"this is no {role.value} metadata")
    check.number(signed.get("version"), "version", least=1)
    check.pattern(signed.get("spec_version"), _SPEC_VERSION, "spec_version (1.x is understood)")
    check.time(signed.get("expires"), "expires")
    _BODIES[role](check, signed)
    return signed


def parse_strict(data: bytes, *, where: str) -> Any:
    """Parse JSON in which nothing can be read in two ways; numbers are integers of at most 2^53.

    Raises:
        TrustError: too long, no UTF-8, no JSON, doubled names, fractions, huge numbers, or nested too deeply.
    """
    check = _Checker(where)
    if len(data) > LIMITS.trust_metadata_max_bytes:
        check.refuse(f"longer than {LIMITS.trust_metadata_max_bytes} bytes")
    try:
        return json.loads(
            data.decode("utf-8"),
            object_pairs_hook=check.pairs,
            parse_int=check.integer,
            parse_float=check.word,
            parse_constant=check.word,
        )
    except UnicodeDecodeError as error:
        raise TrustError("not UTF-8", where=where, mend=_MEND) from error
    except json.JSONDecodeError as error:
        raise TrustError(f"no JSON ({error.msg}, character {error.pos})", where=where, mend=_MEND) from error
    except RecursionError as error:
        raise TrustError("nested too deeply", where=where, mend=_MEND) from error


class _Checker:
    """Raises :class:`TrustError` with the place of the file that is being checked."""

    def __init__(self, where: str) -> None:
        self._where = where

    def refuse(self, what: str) -> NoReturn:
        raise TrustError(what, where=self._where, mend=_MEND)

    def pairs(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        table = dict(pairs)
        if len(table) != len(pairs):
            self.refuse("an object names a field twice")
        return table

    def integer(self, text: str) -> int:
        # Length first: converting a number of many digits takes time that grows with its square.
        if len(text) > len(str(-VERSION_MAX)) or abs(int(text)) > VERSION_MAX:
            self.refuse("a number beyond 2^53")
        return int(text)

    def word(self, text: str) -> NoReturn:
        self.refuse(f"a number that is no integer ({text[:20]})")

    def table(self, value: object, name: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            self.refuse(f"{name} is missing or no object")
        return value

    def sequence(self, value: object, name: str) -> list[Any]:
        if not isinstance(value, list):
            self.refuse(f"{name} is missing or no list")
        return value

    def number(self, value: object, name: str, *, least: int) -> None:
        # ``true`` is an int in Python, and would pass for version 1.
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            self.refuse(f"{name} is no number of at least {least}")

    def pattern(self, value: object, pattern: re.Pattern[str], name: str) -> None:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            self.refuse(f"{name} does not have its form")

    def time(self, value: object, name: str) -> None:
        self.pattern(value, _EXPIRES, name)
        try:
            parse_expires(str(value))
        except ValueError:
            self.refuse(f"{name} is no time of the calendar")


def parse_expires(text: str) -> datetime:
    """The time in an ``expires`` field.

    Raises:
        ValueError: it does not have the form ``YYYY-MM-DDThh:mm:ssZ``.
    """
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def _show(name: str) -> str:
    """A name from a peer as it may stand in an error: short, and without control characters or surrogates."""
    return ascii(name[:40])


def _check_root(check: _Checker, signed: dict[str, Any]) -> None:
    if signed.get("consistent_snapshot") is not True:
        check.refuse("consistent_snapshot is not true")
    for name, key in check.table(signed.get("keys"), "keys").items():
        kind = check.table(key, f"key {_show(name)}")
        # Lists, not a set: a hostile type need not be hashable.
        if [kind.get("keytype"), kind.get("scheme")] not in KEY_KINDS:
            check.refuse(f"key {_show(name)} is neither Ed25519 nor ECDSA, as far as this version knows")
    roles = check.table(signed.get("roles"), "roles")
    if set(roles) != {role.value for role in TrustRole}:
        check.refuse("roles are not root, targets, snapshot and timestamp")
    for name, value in roles.items():
        role = check.table(value, f"role {name}")
        check.number(role.get("threshold"), f"threshold of {name}", least=1)
        if not all(isinstance(key_id, str) for key_id in check.sequence(role.get("keyids"), f"keyids of {name}")):
            check.refuse(f"keyids of {name} are not all strings")


def _check_timestamp(check: _Checker, signed: dict[str, Any]) -> None:
    _check_metas(check, signed, required="snapshot.json")


def _check_snapshot(check: _Checker, signed: dict[str, Any]) -> None:
    _check_metas(check, signed, required="targets.json")


def _check_metas(check: _Checker, signed: dict[str, Any], *, required: str) -> None:
    metas = check.table(signed.get("meta"), "meta")
    if required not in metas:
        check.refuse(f"meta does not name {required}")
    for name, value in metas.items():
        meta = check.table(value, f"meta of {_show(name)}")
        check.number(meta.get("version"), f"version of {_show(name)}", least=1)
        _check_content(check, meta, name)


def _check_targets(check: _Checker, signed: dict[str, Any]) -> None:
    targets = check.table(signed.get("targets"), "targets")
    named = sum(path in targets for path in PRODUCTS)
    if named != 1:
        check.refuse(f"targets name {' and '.join(PRODUCTS)}" if named else f"targets do not name {CARD_PATH}")
    for name, value in targets.items():
        _check_content(check, check.table(value, f"target {_show(name)}"), name)


def _check_content(check: _Checker, entry: dict[str, Any], name: str) -> None:
    """Length and SHA-256 are there; other hashes are hex too, because TUF builds a URL from the first."""
    check.number(entry.get("length"), f"length of {_show(name)}", least=0)
    hashes = check.table(entry.get("hashes"), f"hashes of {_show(name)}")
    check.pattern(hashes.get("sha256"), _SHA256, f"sha256 of {_show(name)}")
    for value in hashes.values():
        check.pattern(value, _HASH, f"a hash of {_show(name)}")


_BODIES: Final[dict[TrustRole, Callable[[_Checker, dict[str, Any]], None]]] = {
    TrustRole.ROOT: _check_root,
    TrustRole.TARGETS: _check_targets,
    TrustRole.SNAPSHOT: _check_snapshot,
    TrustRole.TIMESTAMP: _check_timestamp,
}
