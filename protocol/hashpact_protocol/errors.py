"""Every error that Hashpact raises on purpose, in one tree; each class carries its wire code.

::

    HashpactError                    error
    ├── MalformedError               malformed            bytes that do not have their form
    │   ├── StatementError           statement-malformed
    │   ├── SignalError              signal-malformed
    │   ├── NoteError                note-malformed
    │   ├── TileError                tile-malformed
    │   ├── ProofError               proof-malformed
    │   ├── EvidenceError            evidence-malformed
    │   ├── MemberNameError          name-malformed       member ids, URLs, origins
    │   ├── CardError                card-refused
    │   └── DirectoryError           directory-refused
    ├── VerificationError            verification-failed  well formed, and not true
    │   ├── SignatureError           signature-invalid
    │   ├── InclusionError           inclusion-invalid
    │   ├── ConsistencyError         consistency-invalid
    │   ├── EntriesError             entries-mismatch     entries or tiles that do not hash to the root
    │   ├── ForkError                log-forked           two stories; carries the evidence
    │   └── TrustError               trust-refused        a trust repository that must not be believed
    ├── FetchError                   fetch-failed         a peer could not be read
    │   ├── FetchTimeoutError        fetch-timeout
    │   ├── FetchTooLargeError       fetch-too-large
    │   ├── FetchStatusError         fetch-status         an HTTP status that was not hoped for
    │   └── FetchRefusedError        fetch-refused        an address that we do not connect to
    ├── KeyUnavailableError          key-unavailable      no such key, a wrong passphrase, a missing extra
    ├── RequestError                 request-invalid      what a user or client asked for is not right
    │   ├── NotFoundError            not-found
    │   │   └── GoneError            gone                 it was here, and is not to be had any more
    │   ├── ConflictError            conflict
    │   └── ConfigurationError       configuration-invalid
    └── StoreError                   store-failed
        ├── StoreFullError           store-full
        ├── StoreNewerError          store-newer          a database of a newer version
        ├── StoreBusyError           store-busy           another process holds what we need
        └── StoreMovedError          store-moved          somebody else moved the row first; look again
"""

from __future__ import annotations

from typing import ClassVar, Final


class HashpactError(Exception):
    """The root of the tree.

    ``what`` happened, ``where`` it was (a file, a line, a URL, a field), and how to ``mend`` it.
    """

    code: ClassVar[str] = "error"

    def __init__(self, what: str, *, where: str | None = None, mend: str | None = None) -> None:
        self.what = what
        self.where = where
        self.mend = mend
        super().__init__(what)

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        cure = f" ({self.mend})" if self.mend else ""
        return f"{place}{self.what}{cure}"

    def __reduce__(self) -> tuple[object, ...]:
        """Survive the way between worker processes, which pickles keyword arguments away otherwise."""
        return (_rebuild, (type(self), self.__dict__.copy()))


def _rebuild(kind: type[HashpactError], state: dict[str, object]) -> HashpactError:
    error = kind.__new__(kind)
    error.__dict__.update(state)
    error.args = (state["what"],)
    return error


class MalformedError(HashpactError):
    """Bytes that do not have the form that they should have."""

    code = "malformed"


class StatementError(MalformedError):
    """An entry that is no well-formed statement (docs/protocol.md, Statements)."""

    code = "statement-malformed"


class SignalError(MalformedError):
    """A signal that is not of its type's form (docs/protocol.md, Signals)."""

    code = "signal-malformed"


class NoteError(MalformedError):
    """A signed note, checkpoint, cosignature or verifier key that is not of its form (C2SP signed-note)."""

    code = "note-malformed"


class TileError(MalformedError):
    """A tile, bundle or path that is not of its form (C2SP tlog-tiles)."""

    code = "tile-malformed"


class ProofError(MalformedError):
    """A tlog-proof that is not of its form (C2SP tlog-proof)."""

    code = "proof-malformed"


class EvidenceError(MalformedError):
    """A file of evidence that is not of its form (docs/protocol.md, Evidence)."""

    code = "evidence-malformed"


class MemberNameError(MalformedError):
    """A member id, member URL or origin that is not of its form (docs/protocol.md, Names)."""

    code = "name-malformed"


class CardError(MalformedError):
    """A member card that is refused whole (docs/protocol.md, Card)."""

    code = "card-refused"


class DirectoryError(MalformedError):
    """A consortium's directory that is refused whole (docs/protocol.md, Directory)."""

    code = "directory-refused"


class VerificationError(HashpactError):
    """Well formed, and not true."""

    code = "verification-failed"


class SignatureError(VerificationError):
    """A signature by a known key is wrong, or no known key signed at all."""

    code = "signature-invalid"


class InclusionError(VerificationError):
    """An inclusion proof does not lead to the root (RFC 6962, section 2.1.1)."""

    code = "inclusion-invalid"


class ConsistencyError(VerificationError):
    """A consistency proof does not hold (RFC 6962, section 2.1.2)."""

    code = "consistency-invalid"


class EntriesError(VerificationError):
    """Entries or tiles do not hash to the root that they were fetched for."""

    code = "entries-mismatch"


ASK_WHICH_STORY: Final = "export the evidence and ask the member which story is true; the list held stays in force"
"""How to mend a fork, which no program can."""


class ForkError(VerificationError):
    """A log told two stories; ``evidence`` holds the signed notes that prove it.

    Where their sizes differ, ``proof`` leads in the tree of the larger from another root at the smaller size,
    ``prefix_root``, to its own (RFC 6962, section 2.1.2), as far as that is known; else None and nothing.
    """

    code = "log-forked"

    def __init__(
        self,
        what: str,
        *,
        evidence: tuple[bytes, ...] = (),
        prefix_root: bytes | None = None,
        proof: tuple[bytes, ...] = (),
        where: str | None = None,
        mend: str | None = None,
    ) -> None:
        super().__init__(what, where=where, mend=mend)
        self.evidence = evidence
        self.prefix_root = prefix_root
        self.proof = proof


class TrustError(VerificationError):
    """A trust repository, or a part of it, that must not be believed (TUF 1.0, docs/protocol.md, Trust)."""

    code = "trust-refused"


class FetchError(HashpactError):
    """A peer could not be read."""

    code = "fetch-failed"


class FetchTimeoutError(FetchError):
    """The total deadline passed, or the peer did not answer in time."""

    code = "fetch-timeout"


class FetchTooLargeError(FetchError):
    """The answer is longer than its cap, compressed or not."""

    code = "fetch-too-large"


class FetchStatusError(FetchError):
    """An HTTP status that was not hoped for; ``status`` holds it."""

    code = "fetch-status"

    def __init__(self, what: str, *, status: int, where: str | None = None, mend: str | None = None) -> None:
        super().__init__(what, where=where, mend=mend)
        self.status = status


class FetchRefusedError(FetchError):
    """An address that this node does not connect to, or a redirect."""

    code = "fetch-refused"


class KeyUnavailableError(HashpactError):
    """A key cannot be had: no such file, a wrong passphrase, a missing extra."""

    code = "key-unavailable"


class RequestError(HashpactError):
    """What a user or a client asked for is not right."""

    code = "request-invalid"


class NotFoundError(RequestError):
    """There is no such thing here."""

    code = "not-found"


class GoneError(NotFoundError):
    """It was here, and is not to be had any more: the checkpoint of a closed log, the entries of an erased one."""

    code = "gone"


class ConflictError(RequestError):
    """It cannot be done as things stand."""

    code = "conflict"


class ConfigurationError(RequestError):
    """A setting, a configuration file or a home that is not right."""

    code = "configuration-invalid"


class StoreError(HashpactError):
    """The database could not do it; nothing was half done."""

    code = "store-failed"


class StoreFullError(StoreError):
    """The disk, or the database's quota, is full."""

    code = "store-full"


class StoreNewerError(StoreError):
    """The database was written by a newer version of Hashpact."""

    code = "store-newer"


class StoreBusyError(StoreError):
    """Another process holds the home, the log or the peer that is needed."""

    code = "store-busy"


class StoreMovedError(StoreError):
    """Somebody else moved the row first; read again and decide anew."""

    code = "store-moved"
