"""The directory of a consortium: who is a member, under which root and URL, and of which standing.

A secretariat signs it, as the one product of a trust repository of its own (docs/protocol.md, Directory). It can say
whom to follow, and never what a member says: a member's card stands in the member's own repository alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Any, NoReturn

from hashpact_protocol.canonical import canonical_bytes, parse_canonical
from hashpact_protocol.errors import DirectoryError, MemberNameError, StatementError
from hashpact_protocol.limits import LIMITS
from hashpact_protocol.names import MemberUrl, parse_fingerprint, parse_member_id
from hashpact_protocol.statement_fields import is_identifier, is_time

INCIDENTS_MAX = 64
"""How many incidents a directory may call active."""

DIRECTORY_PATH = "directory.json"
"""The one target of a directory's trust repository."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_MEND = "the secretariat has to publish a directory without this error; until then the one accepted before stands"


class Standing(StrEnum):
    """How a consortium stands to a member."""

    ADMITTED = "admitted"
    SUSPENDED = "suspended"


@dataclass(frozen=True, slots=True)
class DirectoryMember:
    """One member: where it is, the fingerprint of its root, its standing, since when (as on the wire), and why."""

    member: str
    url: str
    fingerprint: str
    standing: Standing
    since: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory of which every rule was checked; members, and incidents that it calls active, stand in order."""

    name: str
    members: tuple[DirectoryMember, ...]
    incidents: tuple[str, ...] = ()

    def find(self, member: str) -> DirectoryMember | None:
        """The entry of a member, if it is listed."""
        return next((one for one in self.members if one.member == member), None)


def parse_directory(data: bytes) -> Directory:
    """Read a directory; raises ``DirectoryError``, which names the field, when any rule is broken."""
    if len(data) > LIMITS.directory_max_bytes:
        _refuse(f"holds {len(data)} bytes where at most {LIMITS.directory_max_bytes} are allowed", "directory")
    try:
        value = parse_canonical(data)
    except StatementError as error:
        raise DirectoryError(str(error), where="directory", mend=_MEND) from error
    if not isinstance(value, dict):
        _refuse("is not an object", "directory")
    listed = value.get("members")
    if not isinstance(listed, list) or len(listed) > LIMITS.directory_members_max:
        _refuse(f"is missing, or no list of at most {LIMITS.directory_members_max}", "members")
    name = _text(value, "name", "", LIMITS.known_string_max_bytes)
    members = tuple(_member(one, f"members[{at}]") for at, one in enumerate(listed))
    _check_together(members)
    return Directory(name, members, _incidents(value.get("incidents", [])))


def encode_directory(directory: Directory) -> bytes:
    """Write a directory in canonical form (RFC 8785). Whoever signs it parses it first, which checks every rule."""
    members = sorted(directory.members, key=lambda one: one.member)
    value: dict[str, Any] = {"members": [_value(one) for one in members], "name": directory.name}
    if directory.incidents:
        value["incidents"] = sorted(directory.incidents)
    return canonical_bytes(value)


def _value(one: DirectoryMember) -> dict[str, str]:
    value = {
        "fingerprint": one.fingerprint,
        "member": one.member,
        "since": one.since,
        "standing": one.standing.value,
        "url": one.url,
    }
    return value if one.reason is None else {**value, "reason": one.reason}


def _member(value: Any, where: str) -> DirectoryMember:
    if not isinstance(value, dict):
        _refuse("is not an object", where)
    most = LIMITS.known_string_max_bytes
    member, url, fingerprint, standing, since = (
        _text(value, name, f"{where}.", most) for name in ("member", "url", "fingerprint", "standing", "since")
    )
    reason = None if "reason" not in value else _text(value, "reason", f"{where}.", LIMITS.card_reason_max_bytes)
    try:
        parse_member_id(member, where=f"{where}.member")
        MemberUrl.parse(url, where=f"{where}.url")
        parse_fingerprint(fingerprint, where=f"{where}.fingerprint")
    except MemberNameError as error:
        raise DirectoryError(error.what, where=error.where, mend=_MEND) from error
    if standing not in set(Standing):
        _refuse(f"is none of {', '.join(Standing)}", f"{where}.standing")
    if not is_time(since):
        _refuse("is no time of the form YYYY-MM-DDThh:mm:ssZ", f"{where}.since")
    return DirectoryMember(member, url, fingerprint, Standing(standing), since, reason)


def _incidents(listed: Any) -> tuple[str, ...]:
    if not isinstance(listed, list) or len(listed) > INCIDENTS_MAX:
        _refuse(f"is no list of at most {INCIDENTS_MAX}", "incidents")
    for at, one in enumerate(listed):
        if not isinstance(one, str) or not is_identifier(one):
            _refuse("is no UUID of version 4, lower case with hyphens", f"incidents[{at}]")
        if at and listed[at - 1] >= one:
            _refuse("does not stand in order, each once", f"incidents[{at}]")
    return tuple(listed)


def _check_together(members: Sequence[DirectoryMember]) -> None:
    """Refuse members out of order, one id twice, and two members whose names would collide."""
    for at, (one, other) in enumerate(pairwise(members), 1):
        if one.member >= other.member:
            _refuse(f"stands after {one.member}: members stand in order of their ids, each once", f"members[{at}]")
    # Where one of two prefixes begins the other, so do all that stand between them in this order.
    prefixes = sorted((f"{MemberUrl.parse(one.url).prefix}/", one.member) for one in members)
    for (prefix, first), (longer, second) in pairwise(prefixes):
        if longer.startswith(prefix):
            _refuse(f"the URLs of {first} and {second} begin alike, so names below them would collide", "members")


def _text(value: dict[str, Any], name: str, path: str, most: int) -> str:
    text = value.get(name)
    if not isinstance(text, str) or not text or _CONTROL.search(text) is not None or len(text.encode()) > most:
        _refuse(f"is missing, or no text of at most {most} bytes without control characters", f"{path}{name}")
    return text


def _refuse(what: str, where: str) -> NoReturn:
    raise DirectoryError(what, where=where, mend=_MEND)
