"""Undo a body's content encoding under a cap (RFC 9110, section 8.4; docs/protocol.md, Transfer).

Exactly one encoding, of ``identity``, ``gzip`` and ``zstd``; exactly one gzip member or zstd frame, whole, and
nothing after it. What a peer sends decides neither the memory nor the time that is spent: the output stops at the
caller's cap, and a zstd window at 8 MiB (RFC 9659).
"""

from __future__ import annotations

import threading
import zlib

import zstandard

from hashpact_protocol.errors import FetchError, FetchTooLargeError

ACCEPT_ENCODING = "zstd, gzip, identity"

_WINDOW_MAX_BYTES = 8 * 1024 * 1024
_GZIP_ONLY = 31
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
# zstandard answers a frame that declares no content with b"" and never looks at the rest of it, so those two that say
# so honestly, without and with a checksum (RFC 8878, section 3.1.1), are known by heart.
_ZSTD_EMPTY = (_ZSTD_MAGIC + bytes.fromhex("2000010000"), _ZSTD_MAGIC + bytes.fromhex("240001000099e9d851"))
_SERVER_FAULT = "the peer's server or a proxy before it is at fault; it is tried again later"


class _Decompressors(threading.local):
    """One decompressor a thread: making one costs as much as a small frame, and it cannot be shared."""

    def __init__(self) -> None:
        self.zstd = zstandard.ZstdDecompressor(max_window_size=_WINDOW_MAX_BYTES)


_decompressors = _Decompressors()


def decode_body(raw: bytes, content_encoding: str | None, *, max_bytes: int, where: str | None = None) -> bytes:
    """Return the body that was transferred as ``raw`` under the header's ``content_encoding`` (None: no header).

    ``where`` names the URL in errors. Raises FetchTooLargeError when the body is longer than ``max_bytes``, and
    FetchError when it is encoded otherwise than promised, cut short, damaged or followed by something.
    """
    encoding = "identity" if content_encoding is None else content_encoding.strip().lower()
    if encoding == "zstd":
        return _decode_zstd(raw, max_bytes, where)
    if encoding == "gzip":
        return _decode_gzip(raw, max_bytes, where)
    if encoding != "identity":
        raise FetchError(
            f"the body has the content encoding {encoding[:60]!r}",
            where=where,
            mend=f"a peer must use one of: {ACCEPT_ENCODING}",
        )
    if len(raw) > max_bytes:
        raise _too_large(max_bytes, where)
    return raw


def _decode_zstd(raw: bytes, max_bytes: int, where: str | None) -> bytes:
    if raw[:4] != _ZSTD_MAGIC:  # this also keeps out skippable frames, which hold nothing and could go on for ever
        raise FetchError("the body is no zstd frame", where=where, mend=_SERVER_FAULT)
    try:
        declared = zstandard.frame_content_size(raw)  # -1: the frame does not say
        if declared > max_bytes:
            raise _too_large(max_bytes, where)
        if declared == 0 and raw not in _ZSTD_EMPTY:
            raise FetchError("the zstd body says that it is empty, and is not", where=where, mend=_SERVER_FAULT)
        body = _decompressors.zstd.decompress(raw, max_output_size=max_bytes, allow_extra_data=False)
        if declared < 0:
            _check_end(raw, where)
    except zstandard.ZstdError as error:
        raise FetchError(
            f"the zstd body is damaged, cut short, too long or not alone: {error}", where=where, mend=_SERVER_FAULT
        ) from error
    return body


def _check_end(raw: bytes, where: str | None) -> None:
    """Refuse what follows a frame that does not declare its size: there zstandard takes ``allow_extra_data`` lightly.

    The frame was decompressed under the cap before, so this cannot expand further. Frames of our own nodes declare
    their size and do not come here.
    """
    stream = _decompressors.zstd.decompressobj()
    stream.decompress(raw)
    if not stream.eof or stream.unused_data:
        raise FetchError("something follows the zstd body", where=where, mend=_SERVER_FAULT)


def _decode_gzip(raw: bytes, max_bytes: int, where: str | None) -> bytes:
    stream = zlib.decompressobj(wbits=_GZIP_ONLY)
    try:
        body = stream.decompress(raw, max_bytes + 1)
    except zlib.error as error:
        raise FetchError(f"the gzip body is damaged: {error}", where=where, mend=_SERVER_FAULT) from error
    if len(body) > max_bytes:
        raise _too_large(max_bytes, where)
    if not stream.eof:
        raise FetchError("the gzip body is cut short", where=where, mend=_SERVER_FAULT)
    if stream.unused_data:
        raise FetchError("something follows the gzip body", where=where, mend=_SERVER_FAULT)
    return body


def _too_large(max_bytes: int, where: str | None) -> FetchTooLargeError:
    return FetchTooLargeError(
        f"the body is longer than {max_bytes} bytes once decoded", where=where, mend="the peer must keep to the limits"
    )
