from __future__ import annotations

import hashlib
import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hashpact_node.services.hashing import PIXELS_MAX, hash_file, hash_stream
from hashpact_protocol.errors import RequestError


def picture(width: int = 400, height: int = 300, seed: int = 1) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 255, (12, 16, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC)


def encoded(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def pdq_of(data: bytes) -> int:
    signal = hash_stream(io.BytesIO(data), name="picture").signals[0]
    assert signal.type == "pdq"
    return int(signal.value, 16)


def test_any_file_has_its_sha256(tmp_path: Path) -> None:
    path = tmp_path / "video.mp4"
    path.write_bytes(b"x" * 3_000_000)
    hashed = hash_file(path)
    assert hashed.sha256 == hashlib.sha256(b"x" * 3_000_000).digest()
    assert [one.value for one in hashed.signals] == [hashed.sha256.hex()]
    assert (hashed.content, hashed.length, hashed.notices) == ("video", 3_000_000, ())


def test_a_picture_has_a_pdq_with_its_quality(tmp_path: Path) -> None:
    path = tmp_path / "picture.bin"
    path.write_bytes(encoded(picture()))
    hashed = hash_file(path)
    assert [one.type for one in hashed.signals] == ["pdq", "sha256"]
    assert hashed.signals[0].quality == 100
    assert hashed.content == "image"


def test_a_picture_made_smaller_and_encoded_anew_stays_near() -> None:
    original = pdq_of(encoded(picture(3000, 2000)))
    for image in (picture(1500, 1000), picture(600, 400)):
        for data in (encoded(image), encoded(image, "JPEG", quality=60), encoded(image, "WEBP")):
            assert (pdq_of(data) ^ original).bit_count() <= 31
    assert (pdq_of(encoded(picture(seed=2))) ^ original).bit_count() > 31


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "1", "CMYK"])
def test_every_mode_of_colour_is_hashed(mode: str) -> None:
    image = picture().convert(mode)
    data = encoded(image, "TIFF" if mode == "CMYK" else "PNG", **({"transparency": b"\x00\x10"} if mode == "P" else {}))
    assert pdq_of(data) > 0


def test_the_orientation_tag_is_not_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    plain, turned = encoded(picture(), "JPEG"), encoded(picture(), "JPEG", exif=exif)
    assert plain != turned
    assert pdq_of(plain) == pdq_of(turned)


def test_a_long_thin_picture_is_hashed_as_it_is() -> None:
    assert hash_stream(io.BytesIO(encoded(picture(2000, 5))), name="x").signals[0].quality == 100


def test_a_dull_picture_is_listed_with_a_notice() -> None:
    hashed = hash_stream(io.BytesIO(encoded(Image.new("RGB", (100, 100), "blue"))), name="blue.png")
    assert hashed.signals[0].quality == 0
    assert "below 50" in hashed.notices[0]


def test_a_damaged_picture_has_its_sha256_alone() -> None:
    whole = encoded(picture())
    damaged = [whole[: len(whole) // 2], whole[:60] + bytes(200) + whole[260:], whole[:20]]
    damaged.append(encoded(picture(), "JPEG")[:400])
    for data in damaged:
        hashed = hash_stream(io.BytesIO(data), name="broken.png")
        assert [one.type for one in hashed.signals] == ["sha256"]
        assert hashed.content == "image"


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


@pytest.mark.parametrize("side", [9_001, 60_000])
def test_a_decompression_bomb_is_not_decoded(side: int) -> None:
    assert side * side > PIXELS_MAX
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    data = (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )
    hashed = hash_stream(io.BytesIO(data), name="bomb.png")
    assert [one.type for one in hashed.signals] == ["sha256"]
    assert "pixels" in hashed.notices[0]


def test_formats_that_start_programs_are_not_decoded() -> None:
    script = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n"
    assert [one.type for one in hash_stream(io.BytesIO(script), name="a.eps").signals] == ["sha256"]


def test_what_cannot_be_hashed_is_said(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    for path, match in ((tmp_path, "folder"), (tmp_path / "none", "no such file"), (tmp_path / "empty", "is empty")):
        with pytest.raises(RequestError, match=match) as caught:
            hash_file(path)
        assert caught.value.where == str(path)
