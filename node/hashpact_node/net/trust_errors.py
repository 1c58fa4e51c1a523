"""TUF's errors in our words: what happened, where, and how to mend it."""

from __future__ import annotations

from typing import Final

from tuf.api.exceptions import (
    BadVersionNumberError,
    DownloadError,
    DownloadLengthMismatchError,
    ExpiredMetadataError,
    RepositoryError,
    UnsignedMetadataError,
)

from hashpact_protocol.errors import FetchError, HashpactError, TrustError

_KEEP: Final = "the last accepted card stays in force; ask the member what happened"


_KINDS: Final[tuple[tuple[type[RepositoryError], str], ...]] = (
    (ExpiredMetadataError, "the trust repository has expired"),
    (UnsignedMetadataError, "metadata is not signed by enough of the right keys"),
    (BadVersionNumberError, "metadata has a version that must not come now"),
)


def hashpact_error(error: RepositoryError | DownloadError, where: str) -> HashpactError:
    """What stopped TUF's client: the error of our fetcher where it was that, otherwise a TrustError."""
    if isinstance(error, DownloadLengthMismatchError):
        return TrustError("a file is longer than was signed", where=where, mend=_KEEP)
    if isinstance(error, DownloadError):
        cause = error.__cause__
        return cause if isinstance(cause, HashpactError) else FetchError(str(error), where=where)
    return trust_error(error, where)


def trust_error(error: RepositoryError, where: str) -> TrustError:
    """Say in our words what TUF's client refused; what it quotes of a peer is escaped and short."""
    kind = next((words for known, words in _KINDS if isinstance(error, known)), "metadata is refused")
    detail = ascii(str(error))[1:-1][:200]
    return TrustError(f"{kind}: {detail}", where=where, mend=_KEEP)
