"""What stands between TUF's client and the network (docs/protocol.md, Trust: reading).

python-tuf 7.0.1 believes any length that a peer signed, takes 403 for "there is no newer root", lets errors out while
a body is being iterated, knows no total deadline and parses loosely. Here each file comes whole and capped, or not at
all; only 404 ends the walk over roots; and metadata that is not strict JSON of its form never reaches TUF.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final, Protocol

from tuf.api.exceptions import DownloadError, DownloadHTTPError
from tuf.ngclient.fetcher import FetcherInterface  # noqa: TID251 - net is where tuf.ngclient is known

from hashpact_keys.rows import TrustRole
from hashpact_keys.trust_form import check_form
from hashpact_node import clock
from hashpact_node.net.decode import decode_body
from hashpact_protocol.errors import FetchStatusError, FetchTimeoutError, HashpactError
from hashpact_protocol.limits import LIMITS

_METADATA: Final = re.compile(r"/trust/metadata/(?:[0-9]+\.)?(root|targets|snapshot|timestamp)\.json$")
_OK: Final = 200
_NOT_FOUND: Final = 404


class TrustAnswer(Protocol):
    """What a peer answered: a status, headers by lower-case name, and the body as it was transferred."""

    @property
    def status(self) -> int: ...  # noqa: D102 - said by the class

    @property
    def headers(self) -> Mapping[str, str]: ...  # noqa: D102

    @property
    def body(self) -> bytes: ...  # noqa: D102


class TrustSource(Protocol):
    """Fetches one URL; never follows a redirect, never reads more than the cap or longer than the deadline."""

    def get(self, url: str, *, max_bytes: int, deadline_seconds: float) -> TrustAnswer:
        """Return the answer, whatever its status.

        Raises:
            FetchError: there is none.
        """
        ...


class TrustFetcher(FetcherInterface):
    """Fetches the files of one trust repository, all of them within one deadline.

    TUF hears only of its own kinds of errors; the Hashpact error is the ``__cause__`` of each.
    """

    def __init__(
        self,
        source: TrustSource,
        *,
        deadline_seconds: float,
        monotonic: Callable[[], float] = clock.monotonic,
        product_max_bytes: int = LIMITS.card_max_bytes,
    ) -> None:
        self._product_max_bytes = product_max_bytes
        self._source = source
        self._deadline_seconds = deadline_seconds
        self._monotonic = monotonic
        self._end = monotonic() + deadline_seconds

    def read(self, url: str) -> bytes:
        """Fetch one file of a trust repository; metadata has its form.

        Raises:
            FetchError: it cannot be had; FetchStatusError when it is not there.
            TrustError: it is not of its form.
        """
        kind = _METADATA.search(url)
        cap = LIMITS.trust_metadata_max_bytes if kind else self._product_max_bytes
        body = self.read_capped(url, cap)
        if kind:
            check_form(TrustRole(kind[1]), body, where=url)
        return body

    def read_capped(self, url: str, cap: int) -> bytes:
        """Fetch one file of at most ``cap`` bytes, whatever it holds; raises FetchError."""
        answer = self._source.get(url, max_bytes=cap, deadline_seconds=self._remaining(url))
        if answer.status != _OK:
            raise FetchStatusError(
                f"the peer answered with status {answer.status}",
                status=answer.status,
                where=url,
                mend="the member must serve its trust repository to everybody; it is tried again later",
            )
        return decode_body(answer.body, answer.headers.get("content-encoding"), max_bytes=cap, where=url)

    def _fetch(self, url: str) -> Iterator[bytes]:
        """Answer TUF: the file is read, capped and checked before the iterator exists, so iterating cannot fail."""
        try:
            return iter((self.read(url),))
        except FetchStatusError as error:
            if error.status == _NOT_FOUND:
                raise DownloadHTTPError(str(error), error.status) from error
            # Not DownloadHTTPError: TUF takes one of 403 for the end of the roots.
            raise DownloadError(str(error)) from error
        except HashpactError as error:
            raise DownloadError(str(error)) from error

    def _remaining(self, url: str) -> float:
        remaining = self._end - self._monotonic()
        if remaining <= 0:
            raise FetchTimeoutError(
                f"reading the trust repository took longer than {self._deadline_seconds:g} seconds",
                where=url,
                mend="what was verified is kept, and the next try goes on from there",
            )
        return remaining
