"""Hash files: SHA-256 of any, PDQ of pictures. Nothing but hashes and words for people comes out of here.

The PDQ of a picture is that of its first frame as it is stored: an orientation tag is not applied, as in Meta's
``threatexchange``, so that both give the same hash for the same file.
"""

from __future__ import annotations

import hashlib
import math
import mimetypes
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
import pdqhash
from PIL import Image, UnidentifiedImageError

from hashpact_protocol.errors import RequestError
from hashpact_protocol.signals import SIGNAL_TYPES, Signal, make_signal

PIXELS_MAX: Final = 80_000_000
"""Larger pictures are not decoded; Pillow itself begins to warn a little above."""

PIXELS_SHRUNK: Final = 2**21
"""What has more pixels is averaged down before PDQ, which looks at 64 x 64 averages itself; that moves few bits."""

FORMATS: Final = ("BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")
"""Pictures that are decoded. Others, such as those that start a foreign program, are hashed as files only."""

QUALITY_MIN: Final = SIGNAL_TYPES["pdq"].quality_min or 0
_CHUNK_BYTES: Final = 1024 * 1024
_HASH_SIDE: Final = 16
# What Pillow's decoders raise over damaged files, by its documentation and by its tests.
_DAMAGED: Final = (OSError, SyntaxError, ValueError, EOFError, IndexError, OverflowError, TypeError)


@dataclass(frozen=True, slots=True)
class HashedFile:
    """A file's signals, the best ones first; ``content`` is a word for what it is, ``notices`` are for people."""

    name: str
    content: str
    sha256: bytes
    length: int
    signals: tuple[Signal, ...]
    notices: tuple[str, ...] = ()


def hash_file(path: Path) -> HashedFile:
    """Hash one file; a damaged picture gets its SHA-256 alone, with a notice.

    Raises RequestError when it cannot be read, is no file, or is empty.
    """
    try:
        if not path.is_file():
            what = "this is a folder or no ordinary file" if path.exists() else "there is no such file"
            raise RequestError(what, where=str(path), mend="name files one by one")
        with path.open("rb") as file:
            return hash_stream(file, name=str(path))
    except OSError as error:
        raise RequestError(
            f"the file cannot be read: {error.strerror}", where=str(path), mend="check its permissions and its disk"
        ) from error


def hash_stream(file: BinaryIO, *, name: str) -> HashedFile:
    """Hash an open file that can seek; ``name`` is for people, and tells what it is where the bytes do not.

    Raises RequestError when it is empty; OSError passes.
    """
    digest, length = _digest(file)
    if not length:
        raise RequestError("the file is empty, and every empty file has the same hash", where=name)
    sha256 = make_signal("sha256", digest.hex())
    file.seek(0)
    notices: list[str] = []
    picture = _open_picture(file, notices)
    pdq = None if picture is None else _pdq(picture, notices)
    return HashedFile(
        name=name,
        content="image" if picture is not None else _guess_content(name),
        sha256=digest,
        length=length,
        signals=(sha256,) if pdq is None else (pdq, sha256),
        notices=tuple(notices),
    )


def _digest(file: BinaryIO) -> tuple[bytes, int]:
    digest, length = hashlib.sha256(), 0
    while chunk := file.read(_CHUNK_BYTES):
        digest.update(chunk)
        length += len(chunk)
    return digest.digest(), length


def _open_picture(file: BinaryIO, notices: list[str]) -> Image.Image | None:
    """Read a picture's head; None for what is none, or is too large."""
    try:
        picture = Image.open(file, formats=FORMATS)
    except UnidentifiedImageError:
        return None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        notices.append(_too_large())
        return None
    except _DAMAGED as error:
        notices.append(_damaged(error))
        return None
    if picture.width * picture.height > PIXELS_MAX:
        notices.append(_too_large())
        return None
    return picture


def _pdq(picture: Image.Image, notices: list[str]) -> Signal | None:
    try:
        colours = _pixels(picture)
    except _DAMAGED as error:
        notices.append(_damaged(error))
        return None
    bits, quality = pdqhash.compute(colours)
    if quality < QUALITY_MIN:
        notices.append(f"its PDQ has quality {quality}, below {QUALITY_MIN}: nothing is matched by it")
    return make_signal("pdq", np.packbits(bits).tobytes().hex(), int(quality))


def _pixels(picture: Image.Image) -> np.ndarray:
    shrink = math.ceil(math.sqrt(picture.width * picture.height / PIXELS_SHRUNK))
    if shrink > 1:
        width, height = picture.size
        picture.draft("RGB", (width // shrink, height // shrink))  # lets a JPEG be decoded at a fraction of its size
        shrink = max(1, round(shrink * picture.width / width))
    if "transparency" in picture.info:  # Pillow warns unless it goes by this way
        picture = picture.convert("RGBA")
    return np.asarray(picture.convert("RGB").reduce(shrink))


def _guess_content(name: str) -> str:
    kind, _encoding = mimetypes.guess_type(name)
    main = (kind or "").partition("/")[0]
    return main if main in {"audio", "image", "text", "video"} else "file"


def _too_large() -> str:
    return f"it is a picture of more than {PIXELS_MAX:,} pixels, which is not decoded: only its SHA-256 is taken"


def _damaged(error: Exception) -> str:
    return f"it looks like a picture and cannot be decoded ({error}): only its SHA-256 is taken"
