"""What the other side needs in order to follow this member: to be read aloud, and as a file.

An invitation proves nothing. Whoever can alter the file can alter the fingerprint in it, so it is compared over another
channel by the people on both sides, whose voices they know.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from hashpact_keys.ceremony_words import digest_in_groups
from hashpact_keys.trust_files import root_fingerprint
from hashpact_node.services.views import own_card, own_peer
from hashpact_node.store.database import Database
from hashpact_node.store.trust import newest_root
from hashpact_protocol.canonical import canonical_bytes, parse_canonical
from hashpact_protocol.errors import ConfigurationError, RequestError, StatementError
from hashpact_protocol.limits import LIMITS
from hashpact_protocol.names import FINGERPRINT, MemberUrl, parse_fingerprint, parse_member_id

KIND: Final = "hashpact-invitation-1"
FILE_MAX_BYTES: Final = 8_192
GROUPS_A_LINE: Final = 4


@dataclass(frozen=True, slots=True)
class Invitation:
    """Who invites: member id, name for people, URL, and the fingerprint of the newest root, ``N:sha256:HEX``."""

    member: str
    name: str
    url: str
    fingerprint: str

    def encode(self) -> bytes:
        """Write it as a file: one JSON object in canonical form."""
        value = {name: getattr(self, name) for name in ("fingerprint", "member", "name", "url")}
        return canonical_bytes({**value, "kind": KIND})


def own_invitation(database: Database) -> Invitation:
    """Give what this member's future peers need; ConfigurationError before ``init``."""
    with database.read() as connection:
        own = own_peer(connection)
        root = newest_root(connection, own.number)
        name = own_card(connection).name
    if root is None:
        raise ConfigurationError("this member has no root", where=database.where, mend="restore the database")
    return Invitation(own.member, name, own.url, root_fingerprint(root))


def parse_invitation(data: bytes, *, where: str) -> Invitation:
    """Read the file of an invitation; RequestError when it is none, MemberNameError for a field not of its form."""
    try:
        value = parse_canonical(data.removesuffix(b"\n")) if len(data) <= FILE_MAX_BYTES else None
    except StatementError:
        value = None
    if not isinstance(value, dict) or value.get("kind") != KIND:
        raise RequestError(
            "this is no invitation", where=where, mend="ask for the file that `hashpact peer invite --to FILE` wrote"
        )
    return Invitation(
        parse_member_id(_text(value, "member", where), where=f"{where}: member"),
        _text(value, "name", where),
        str(MemberUrl.parse(_text(value, "url", where), where=f"{where}: url")),
        parse_fingerprint(_text(value, "fingerprint", where), where=f"{where}: fingerprint"),
    )


def spoken_lines(fingerprint: str) -> list[str]:
    """Give a fingerprint as one reads it over a telephone: its version, then four lines of four groups."""
    found = FINGERPRINT.fullmatch(fingerprint)
    version, digest = (fingerprint, "") if found is None else (found[1], found[2])
    groups = digest_in_groups(digest).split()
    lines = [groups[at : at + GROUPS_A_LINE] for at in range(0, len(groups), GROUPS_A_LINE)]
    return [f"root {version}", *(f"line {at}: {'  '.join(line)}" for at, line in enumerate(lines, 1))]


def _text(value: dict[str, Any], name: str, where: str) -> str:
    text = value.get(name)
    if not isinstance(text, str) or not 0 < len(text.encode()) <= LIMITS.known_string_max_bytes:
        raise RequestError(f"{name} is missing, or no text", where=where, mend="ask for the file anew")
    return text
