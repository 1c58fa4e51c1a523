"""Content encodings, undone under a cap."""

from __future__ import annotations

import gzip
import os
import sys
import threading
import tracemalloc

import pytest
import zstandard

from hashpact_node.net.decode import decode_body
from hashpact_protocol.errors import FetchError, FetchTooLargeError

BODY = os.urandom(5_000) + b"the same again and again " * 1_000
MAX = 100_000


def zstd(body: bytes, *, size: bool = True, checksum: bool = False) -> bytes:
    return zstandard.ZstdCompressor(write_content_size=size, write_checksum=checksum).compress(body)


ENCODED = {
    "identity": ("identity", BODY),
    "gzip": ("gzip", gzip.compress(BODY)),
    "zstd": ("zstd", zstd(BODY)),
    "zstd without size": ("zstd", zstd(BODY, size=False)),
    "zstd with checksum": ("zstd", zstd(BODY, checksum=True)),
}
PACKED = [case for name, case in ENCODED.items() if name != "identity"]


@pytest.mark.parametrize(("encoding", "raw"), ENCODED.values(), ids=ENCODED)
def test_whole_body(encoding: str, raw: bytes) -> None:
    assert decode_body(raw, encoding, max_bytes=MAX) == BODY
    assert decode_body(raw, f" {encoding.upper()} ", max_bytes=len(BODY)) == BODY


@pytest.mark.parametrize(
    ("encoding", "raw"),
    [
        (None, b""),
        ("gzip", gzip.compress(b"")),
        ("zstd", zstd(b"")),
        ("zstd", zstd(b"", checksum=True)),
        ("zstd", zstd(b"", size=False)),
    ],
    ids=["identity", "gzip", "zstd", "zstd with checksum", "zstd without size"],
)
def test_empty_body(encoding: str | None, raw: bytes) -> None:
    assert decode_body(raw, encoding, max_bytes=MAX) == b""


def test_no_header_means_identity() -> None:
    assert decode_body(BODY, None, max_bytes=MAX) == BODY


@pytest.mark.parametrize("encoding", ["br", "", "gzip, gzip", "zstd, gzip", "zstd,zstd", "x-gzip", "deflate", "z" * 99])
def test_other_and_nested_encodings_are_refused(encoding: str) -> None:
    with pytest.raises(FetchError, match="content encoding") as caught:
        decode_body(BODY, encoding, max_bytes=MAX, where="https://acme.example/x")
    assert caught.value.where == "https://acme.example/x"
    assert caught.value.mend is not None
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(("encoding", "raw"), PACKED)
def test_truncated_at_any_byte(encoding: str, raw: bytes) -> None:
    for length in [*range(60), *range(60, len(raw), 97), len(raw) - 1]:
        with pytest.raises(FetchError):
            decode_body(raw[:length], encoding, max_bytes=MAX)


@pytest.mark.parametrize("tail", [b"\0", b"garbage", "again"])
@pytest.mark.parametrize(("encoding", "raw"), PACKED)
def test_trailing_bytes(encoding: str, raw: bytes, tail: bytes | str) -> None:
    with pytest.raises(FetchError):
        decode_body(raw + (raw if isinstance(tail, str) else tail), encoding, max_bytes=10 * MAX)


@pytest.mark.parametrize("checksum", [False, True])
def test_empty_zstd_frame_is_checked_too(checksum: bool) -> None:  # noqa: FBT001  pytest passes it by name
    raw = zstd(b"", checksum=checksum)
    for wrong in (raw[:-1], raw + b"x", raw + raw, raw[:-1] + bytes([raw[-1] ^ 1])):
        with pytest.raises(FetchError):
            decode_body(wrong, "zstd", max_bytes=MAX)


def test_damage_under_a_checksum() -> None:
    raw = bytearray(zstd(BODY, checksum=True))
    raw[2_000] ^= 1
    with pytest.raises(FetchError, match="damaged"):
        decode_body(bytes(raw), "zstd", max_bytes=MAX)
    raw = bytearray(gzip.compress(BODY))
    raw[-5] ^= 1
    with pytest.raises(FetchError, match="damaged"):
        decode_body(bytes(raw), "gzip", max_bytes=MAX)


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_another_format_than_promised(encoding: str) -> None:
    with pytest.raises(FetchError):
        decode_body(b"<!doctype html><title>Sign in</title>", encoding, max_bytes=MAX)


def test_skippable_zstd_frames_are_refused() -> None:
    skippable = bytes.fromhex("502a4d18") + (4).to_bytes(4, "little") + b"skip"
    for raw in (skippable, skippable + zstd(BODY)):
        with pytest.raises(FetchError, match="no zstd frame"):
            decode_body(raw, "zstd", max_bytes=MAX)


@pytest.mark.parametrize(("encoding", "raw"), ENCODED.values(), ids=ENCODED)
def test_one_byte_over_the_cap(encoding: str, raw: bytes) -> None:
    with pytest.raises(FetchError):
        decode_body(raw, encoding, max_bytes=len(BODY) - 1)


@pytest.mark.parametrize(
    ("encoding", "bomb", "error"),
    [
        ("gzip", gzip.compress(bytes(200_000_000), compresslevel=9), FetchTooLargeError),
        ("zstd", zstd(bytes(200_000_000)), FetchTooLargeError),
        ("zstd", zstd(bytes(200_000_000), size=False), FetchError),
    ],
    ids=["gzip", "zstd", "zstd without size"],
)
def test_bomb_takes_no_more_than_the_cap(encoding: str, bomb: bytes, error: type[FetchError]) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(error):
            decode_body(bomb, encoding, max_bytes=1_000_000)
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()


def test_frame_that_declares_less_than_it_holds() -> None:
    raw = bytearray(zstd(bytes(50_000)))
    size_at = 5  # magic, descriptor, then two bytes of content size less 256
    assert zstandard.frame_content_size(bytes(raw)) == 50_000
    raw[size_at : size_at + 2] = (1_000).to_bytes(2, "little")
    with pytest.raises(FetchError):
        decode_body(bytes(raw), "zstd", max_bytes=MAX)


def test_huge_window_is_refused() -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=27)
    stream = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    raw = stream.compress(BODY) + stream.flush()
    assert zstandard.get_frame_parameters(raw).window_size == 2**27
    with pytest.raises(FetchError, match="memory"):
        decode_body(raw, "zstd", max_bytes=MAX)


def test_threads_do_not_share_a_decompressor() -> None:
    raw = zstd(BODY)
    wrong: list[bytes] = []

    def work() -> None:
        for _ in range(200):
            body = decode_body(raw, "zstd", max_bytes=MAX)
            if body != BODY:
                wrong.append(body)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert not wrong
