"""Which logs and how many witnesses make a checkpoint good enough to verify a proof with (C2SP tlog-policy).

A policy is a file of ``log``, ``witness``, ``group`` and ``quorum`` lines. Names in it are octets and mean nothing
outside of it. A key of a type that is not known here, such as ML-DSA's 0x06, refuses no policy: nothing that it signs
can be verified, so its log is none of those accepted, and its witness never witnesses.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import sha256

from hashpact_protocol.base64_text import decode_base64
from hashpact_protocol.errors import ConfigurationError, NoteError, SignatureError
from hashpact_protocol.notes import (
    KEY_ID_BYTES,
    Checkpoint,
    KeyType,
    Note,
    VerifierKey,
    cosignatures,
    parse_checkpoint,
    verify_note,
)

NO_QUORUM = b"none"
POLICY_MAX_BYTES = 256 * 1024
_WHITESPACE = b" \t"
_FORBIDDEN = re.compile(rb"[^\t\n\x20-\x7e\x80-\xff]")
_TWICE = "a public key that an earlier line has already"
_THRESHOLD = re.compile(rb"[1-9][0-9]{0,5}")


@dataclass(frozen=True, slots=True)
class Group:
    """A group witnesses what at least ``threshold`` of its members witness; members are witnesses or groups."""

    threshold: int
    members: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class TlogPolicy:
    """The logs that are accepted, the witnesses, and the rule which of them must have cosigned.

    ``groups`` stand in the order of their lines, so that each speaks of earlier ones alone; ``quorum`` is the name of
    a witness or a group, or ``none``. Groups and quorum may name witnesses that ``witnesses`` does not hold, since the
    types of their keys are not known here.
    """

    logs: tuple[VerifierKey, ...]
    witnesses: dict[bytes, VerifierKey]
    groups: dict[bytes, Group]
    quorum: bytes

    @classmethod
    def of_keys(cls, logs: Iterable[VerifierKey], witnesses: Iterable[VerifierKey] = (), least: int = 0) -> TlogPolicy:
        """Make the policy "any of these logs, and ``least`` of these witnesses" without a file.

        ConfigurationError when a key is of the wrong type or there twice, or when there are fewer witnesses.
        """
        lines = [f"log {key}" for key in logs]
        names = []
        for number, key in enumerate(witnesses):
            names.append(f"w{number}")
            lines.append(f"witness w{number} {key}")
        if least:
            lines.append(f"group quorum {least} {' '.join(names)}")
        lines.append("quorum quorum" if least else "quorum none")
        return parse_policy("".join(f"{line}\n" for line in lines).encode())

    def check(self, note: Note) -> Checkpoint:
        """Verify a log's note under this policy, and give the checkpoint in it.

        NoteError when its text is no checkpoint. SignatureError when no log of its origin signed it, when a known
        log's or witness's signature is wrong, or when the quorum is not there.
        """
        checkpoint = parse_checkpoint(note.text)
        verify_note(note, [key for key in self.logs if key.name == checkpoint.origin])
        signed = {item.key for item in cosignatures(note, self.witnesses.values())}
        self._check_quorum({name for name, key in self.witnesses.items() if key in signed})
        return checkpoint

    def is_met(self, witnessing: Iterable[bytes]) -> bool:
        """Whether the quorum is there when the witnesses of these names have cosigned."""
        names = {NO_QUORUM, *witnessing}
        for name, group in self.groups.items():
            if len(names.intersection(group.members)) >= group.threshold:
                names.add(name)
        return self.quorum in names

    def _check_quorum(self, witnessing: set[bytes]) -> None:
        if not self.is_met(witnessing):
            quorum = self.quorum.decode(errors="backslashreplace")
            raise SignatureError(f"the quorum {quorum!r} is not met: {len(witnessing)} known witnesses cosigned")


def parse_policy(data: bytes) -> TlogPolicy:
    """Read a policy file (tlog-policy, Policy file syntax and structure).

    ConfigurationError, with the number of the line, at the first line that is not as it should be.
    """
    if len(data) > POLICY_MAX_BYTES:
        raise ConfigurationError(f"a policy of {len(data)} bytes is too large")
    *lines, rest = data.split(b"\n")
    if rest:
        raise _refusal(len(lines) + 1, "the last line does not end", "end it with a newline")
    reader = _PolicyReader()
    for number, line in enumerate(lines, start=1):
        if _FORBIDDEN.search(line):
            raise _refusal(number, "a control character other than tab")
        words = [word for word in re.split(b"[ \t]+", line.strip(_WHITESPACE)) if word]
        if words and not words[0].startswith(b"#"):
            reader.take(number, words)
    if reader.quorum is None:
        raise ConfigurationError("the policy has no quorum line", mend="write 'quorum none' to ask for no witnesses")
    return TlogPolicy(tuple(reader.logs), reader.witnesses, reader.groups, reader.quorum)


def _refusal(number: int, what: str, mend: str | None = None) -> ConfigurationError:
    return ConfigurationError(what, where=f"line {number}", mend=mend)


def _is_of_unknown_type(text: bytes) -> bool:
    """Whether this is a verifier key, whole and with its right id, of a type that is not known here."""
    try:
        name, key_id, encoded = text.decode().split("+", 2)
        material = decode_base64(encoded)
    except ValueError:
        return False
    if not name or not material or material[0] in set(KeyType):
        return False
    return key_id == sha256(name.encode() + b"\n" + material).digest()[:KEY_ID_BYTES].hex()


@dataclass(slots=True)
class _PolicyReader:
    """What the lines read so far have defined."""

    logs: list[VerifierKey] = field(default_factory=list)
    witnesses: dict[bytes, VerifierKey] = field(default_factory=dict)
    groups: dict[bytes, Group] = field(default_factory=dict)
    quorum: bytes | None = None
    members: set[bytes] = field(default_factory=set)
    unknown: dict[bytes, bytes] = field(default_factory=dict)
    """Witnesses with a key of an unknown type: its text by their name."""
    unknown_logs: set[bytes] = field(default_factory=set)

    def take(self, number: int, words: list[bytes]) -> None:
        readers: dict[bytes, tuple[Callable[[int, list[bytes]], None], int, int | None]] = {
            b"log": (self._log, 1, 2),
            b"witness": (self._witness, 2, 3),
            b"group": (self._group, 3, None),
            b"quorum": (self._quorum, 1, 1),
        }
        keyword, *values = words
        if keyword not in readers:
            raise _refusal(number, "an unknown line", "lines begin with log, witness, group, quorum or #")
        read, least, most = readers[keyword]
        if len(values) < least or (most is not None and len(values) > most):
            raise _refusal(number, f"a {keyword.decode()} line with {len(values)} values")
        read(number, values)

    def _log(self, number: int, values: list[bytes]) -> None:
        if _is_of_unknown_type(values[0]):
            self._check_unknown(number, values[0], self.unknown_logs)
            self.unknown_logs.add(values[0])
        else:
            self.logs.append(self._key(number, values[0], KeyType.ED25519, self.logs))

    def _witness(self, number: int, values: list[bytes]) -> None:
        name, key = values[:2]
        self._check_new(number, name)
        if _is_of_unknown_type(key):
            self._check_unknown(number, key, self.unknown.values())
            self.unknown[name] = key
        else:
            self.witnesses[name] = self._key(number, key, KeyType.COSIGNATURE, self.witnesses.values())

    def _group(self, number: int, values: list[bytes]) -> None:
        name, threshold, *members = values
        self._check_new(number, name)
        for member in members:
            self._check_member(number, member)
            self.members.add(member)
        self.groups[name] = Group(self._threshold(number, threshold, len(members)), tuple(members))

    def _quorum(self, number: int, values: list[bytes]) -> None:
        if self.quorum is not None:
            raise _refusal(number, "a second quorum line")
        if values[0] != NO_QUORUM:
            self._check_defined(number, values[0])
        self.quorum = values[0]

    def _is_defined(self, name: bytes) -> bool:
        return name in self.witnesses or name in self.unknown or name in self.groups

    def _check_unknown(self, number: int, text: bytes, others: Iterable[bytes]) -> None:
        # Where in it the public key stands is not known; what follows name and id is compared as a whole.
        if any(text.split(b"+", 2)[2] == other.split(b"+", 2)[2] for other in others):
            raise _refusal(number, _TWICE)

    def _check_new(self, number: int, name: bytes) -> None:
        if name == NO_QUORUM or self._is_defined(name):
            raise _refusal(
                number, "the name is taken", "witnesses and groups share their names, and 'none' is reserved"
            )

    def _check_defined(self, number: int, name: bytes) -> None:
        if not self._is_defined(name):
            raise _refusal(number, "a name that no earlier line defines")

    def _check_member(self, number: int, name: bytes) -> None:
        self._check_defined(number, name)
        if name in self.members:
            raise _refusal(number, "a name that is a group's member already")

    def _threshold(self, number: int, text: bytes, members: int) -> int:
        if text in (b"all", b"any"):
            return members if text == b"all" else 1
        if not _THRESHOLD.fullmatch(text) or int(text) > members:
            raise _refusal(number, "no threshold", f"write all, any or a number from 1 to {members}")
        return int(text)

    def _key(self, number: int, text: bytes, kind: KeyType, others: Iterable[VerifierKey]) -> VerifierKey:
        try:
            key = VerifierKey.parse(text.decode())
        except UnicodeDecodeError:
            raise _refusal(number, "a verifier key is not UTF-8") from None
        except NoteError as error:
            raise _refusal(number, f"no verifier key: {error.what}") from None
        if key.type is not kind:
            raise _refusal(number, f"a key of type {key.type:#04x} where {kind:#04x} is needed")
        if any(key.public == other.public for other in others):
            raise _refusal(number, _TWICE)
        return key
