"""What the simulator answers, and in which bad manner."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import zstandard

Manner = Literal["whole", "cut", "drip", "stall", "endless", "silent"]


@dataclass(frozen=True)
class Reply:
    """One answer.

    ``manner``: the body ``whole``; ``cut`` off at half; a byte at a time (``drip``); ``stall`` after the headers;
    ``endless``: the body again and again; ``silent``: not even a status. ``length`` announces another length than the
    body has; -1 announces none.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    manner: Manner = "whole"
    length: int | None = None


Alter = Callable[[Reply], Reply]
"""Makes what is answered out of what would honestly be answered (404 where there is nothing)."""


def gone(_honest: Reply) -> Reply:
    """Answer that there is no such thing."""
    return Reply(404, b"nothing here")


def status(code: int, **headers: str) -> Alter:
    """Answer with a status and a short body."""
    return lambda _honest: Reply(code, b"no", {name.replace("_", "-"): value for name, value in headers.items()})


def html(_honest: Reply) -> Reply:
    """Answer with a page for people, and status 200."""
    page = b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>Please sign in</body></html>\n"
    return Reply(200, page, {"Content-Type": "text/html; charset=utf-8"})


def says(body: bytes, **headers: str) -> Alter:
    """Answer this, whatever would be honest."""
    return lambda honest: replace(
        honest,
        status=200,
        body=body,
        headers={**honest.headers, **{n.replace("_", "-"): v for n, v in headers.items()}},
    )


def manner(how: Manner) -> Alter:
    """Answer what is honest, in a bad manner."""
    return lambda honest: replace(honest, manner=how)


def body(change: Callable[[bytes], bytes]) -> Alter:
    """Change the body."""
    return lambda honest: replace(honest, body=change(honest.body))


def flipped(data: bytes) -> bytes:
    """Flip the lowest bit of the last byte."""
    return data[:-1] + bytes([data[-1] ^ 1])


def encoded(encoding: str, encode: Callable[[bytes], bytes]) -> Alter:
    """Answer what is honest in a content encoding."""
    return lambda honest: replace(
        honest, body=encode(honest.body), headers={**honest.headers, "Content-Encoding": encoding}
    )


def zstd(data: bytes) -> bytes:
    """Compress to one zstd frame that says its content size."""
    return zstandard.ZstdCompressor().compress(data)


def gzipped(data: bytes) -> bytes:
    """Compress to one gzip member."""
    return gzip.compress(data, mtime=0)


def gzip_bomb(size: int) -> bytes:
    """Give a gzip member that unpacks to ``size`` zero bytes."""
    return gzip.compress(bytes(size), 9, mtime=0)


def zstd_bomb(size: int) -> bytes:
    """Give a zstd frame that unpacks to ``size`` zero bytes and does not say so."""
    packer = zstandard.ZstdCompressor(level=19, write_content_size=False).compressobj()
    chunk = bytes(1 << 20)
    packed = [packer.compress(chunk) for _ in range(size // len(chunk))]
    return b"".join([*packed, packer.flush()])


def zstd_wide(data: bytes, window_log: int) -> bytes:
    """Give a zstd frame whose header asks for a window of ``2**window_log`` bytes (RFC 8878, 3.1.1.1.2)."""
    magic = b"\x28\xb5\x2f\xfd"
    descriptor = b"\x00"  # no content size, no checksum, not a single segment
    window = bytes([(window_log - 10) << 3])
    blocks = b""
    while True:
        part, data = data[:100_000], data[100_000:]
        last = not data
        blocks += (len(part) << 3 | last).to_bytes(3, "little") + part
        if last:
            return magic + descriptor + window + blocks
