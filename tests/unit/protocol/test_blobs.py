from __future__ import annotations

import hashlib

import pytest

from hashpact_protocol.blobs import blob_path, blob_signal, check_blob, parse_blob_name
from hashpact_protocol.errors import SignalError
from hashpact_protocol.limits import LIMITS
from hashpact_protocol.signals import parse_signal

FRAME = b"ab" * 32 + b",98,1.250\n"


def test_a_blob_is_named_by_its_hash_and_length() -> None:
    data = FRAME * 3
    sha256 = hashlib.sha256(data).hexdigest()
    signal = blob_signal("vpdq", data)
    assert signal == parse_signal({"type": "vpdq", "sha256": sha256, "length": len(data)})
    assert blob_path(sha256) == f"blob/{sha256}"


@pytest.mark.parametrize(
    ("type_name", "data"), [("tmk", b"anything"), ("tmk", b"x" * LIMITS.blob_max_bytes), ("moon_hash", b"x")]
)
def test_other_types_are_bytes(type_name: str, data: bytes) -> None:
    check_blob(type_name, data)
    assert blob_signal(type_name, data).blob_length == len(data)


@pytest.mark.parametrize("quality", ["0", "7", "50", "99", "100"])
@pytest.mark.parametrize("second", ["0.000", "0.040", "12.999", "86400.500"])
def test_frames(quality: str, second: str) -> None:
    check_blob("vpdq", FRAME + f"{'0' * 64},{quality},{second}\n".encode())


@pytest.mark.parametrize(
    "line",
    [
        FRAME.removesuffix(b"\n"),
        FRAME.replace(b"\n", b"\r\n"),
        FRAME.replace(b"ab", b"AB"),
        FRAME[2:],
        b"ab" + FRAME,
        FRAME.replace(b",98,", b",101,"),
        FRAME.replace(b",98,", b",098,"),
        FRAME.replace(b",98,", b",-1,"),
        FRAME.replace(b"1.250", b"1.25"),
        FRAME.replace(b"1.250", b"1,250"),
        FRAME.replace(b"1.250", b"01.250"),
        FRAME.replace(b",", b", "),
        b"\n",
        "\ufeff".encode() + FRAME,
    ],
)
def test_what_is_no_frame_is_named_by_its_line(line: bytes) -> None:
    with pytest.raises(SignalError) as caught:
        check_blob("vpdq", FRAME + line)
    assert caught.value.where == "line 2"


@pytest.mark.parametrize("length", [0, LIMITS.blob_max_bytes + 1])
def test_lengths_that_no_blob_has(length: int) -> None:
    with pytest.raises(SignalError):
        check_blob("tmk", b"x" * length)
    with pytest.raises(SignalError):
        blob_signal("tmk", b"x" * length)


@pytest.mark.parametrize("type_name", ["pdq", "sha256", "UPPER", ""])
def test_types_that_come_with_a_value(type_name: str) -> None:
    with pytest.raises(SignalError):
        blob_signal(type_name, b"x")


@pytest.mark.parametrize(
    "text", ["", "ab" * 31, "AB" * 32, "ab" * 33, "ab" * 31 + "g0", "ab" * 32 + "\n", " " + "ab" * 32]
)
def test_names_that_are_none(text: str) -> None:
    assert parse_blob_name(text) is None
    assert parse_blob_name("ab" * 32) == b"\xab" * 32
