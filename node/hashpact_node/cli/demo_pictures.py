"""The pictures of ``hashpact demo``: drawn here, or those of a folder; and the copy that somebody uploads again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageDraw

from hashpact_node.services.hashing import HashedFile, hash_file
from hashpact_protocol.errors import HashpactError, RequestError
from hashpact_protocol.signals import SIGNAL_TYPES

NAMES: Final = ("dunes", "rings", "weave", "shards", "ripples", "lagoon")
STRANGER: Final = "stranger"
SIZE: Final = (480, 360)
WAVES: Final = 7
SHAPES: Final = 9

PICTURES_MIN: Final = 3
PICTURES_MAX: Final = 300
SUFFIXES: Final = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
QUALITY_MIN: Final = SIGNAL_TYPES["pdq"].quality_min or 0
APART_MIN: Final = 2 * (SIGNAL_TYPES["pdq"].threshold or 0)
"""How many bits of PDQ lie between pictures that are told apart: what is near one of them is then near no other."""

FILE_MAX_BYTES: Final = 50_000_000
"""Below what a node takes as one upload."""

COPY_SCALE: Final = 0.6
COPY_JPEG_QUALITY: Final = 55


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture with its hashes, both in hex; ``quality`` is that of its PDQ."""

    path: Path
    sha256: str
    pdq: str
    quality: int

    @property
    def name(self) -> str:
        """The name of its file."""
        return self.path.name


def draw_pictures(folder: Path) -> list[Picture]:
    """Draw the demo's own pictures into a folder, the same ones every time."""
    return [draw_picture(folder, name, seed) for seed, name in enumerate(NAMES)]


def draw_picture(folder: Path, name: str, seed: int) -> Picture:
    """Draw one picture of waves and shapes, rich enough for a good PDQ; HashpactError should it not be."""
    random = np.random.default_rng(seed)
    picture = Image.fromarray(_waves(random))
    _draw_shapes(picture, random)
    path = folder / f"{name}.png"
    picture.save(path)
    drawn = _picture(hash_file(path), path)
    if drawn is None:
        raise HashpactError("the picture that was drawn has no PDQ of sufficient quality", where=str(path))
    return drawn


def choose_pictures(folder: Path) -> tuple[list[Picture], list[str]]:
    """Take the pictures that lie in a folder, in order of their names, and say in words which were left out, and why.

    Raises RequestError where fewer than three are left.
    """
    chosen: list[Picture] = []
    left_out: list[str] = []
    for path in _files(folder):
        if len(chosen) == PICTURES_MAX:
            left_out.append(f"all after {chosen[-1].name}: {PICTURES_MAX} pictures are enough")
            break
        why = _choose(path, chosen)
        if why is not None:
            left_out.append(f"{path.name}: {why}")
    if len(chosen) < PICTURES_MIN:
        found = f"{len(chosen)} of the files in it can be used" if left_out else "there are no pictures in it"
        reasons = "".join(f"\n{reason}" for reason in left_out[:PICTURES_MAX])
        raise RequestError(
            f"the demo needs {PICTURES_MIN} pictures that differ, and {found}{reasons}",
            where=str(folder),
            mend=f"name a folder with files {', '.join(sorted(SUFFIXES))} directly in it, or leave --pictures out",
        )
    return chosen, left_out


def copy_picture(picture: Picture, folder: Path) -> Path:
    """Write a smaller JPEG of a picture, as an upload to another site would be."""
    with Image.open(picture.path) as original:
        plain = original.convert("RGBA") if "transparency" in original.info else original
        size = (max(1, round(original.width * COPY_SCALE)), max(1, round(original.height * COPY_SCALE)))
        copy = plain.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    path = folder / f"{picture.path.stem}-copy.jpg"
    copy.save(path, quality=COPY_JPEG_QUALITY)
    return path


def bits_apart(one: str, other: str) -> int:
    """Give in how many bits two PDQ hashes, in hex, differ."""
    return (int(one, 16) ^ int(other, 16)).bit_count()


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())
    except OSError as error:
        raise RequestError(
            f"the folder of pictures cannot be read: {error.strerror}", where=str(folder), mend="check its name"
        ) from error


def _choose(path: Path, chosen: list[Picture]) -> str | None:
    """Add a picture to those that are chosen, or say why not."""
    try:
        if path.stat().st_size > FILE_MAX_BYTES:
            return f"it is longer than {FILE_MAX_BYTES:,} bytes"
        hashed = hash_file(path)
    except RequestError as error:
        return error.what
    picture = _picture(hashed, path)
    if picture is None:
        return "; ".join(hashed.notices) or "this is no picture"
    for other in chosen:
        if bits_apart(picture.pdq, other.pdq) <= APART_MIN:
            return f"it looks too much like {other.name}"
    chosen.append(picture)
    return None


def _picture(hashed: HashedFile, path: Path) -> Picture | None:
    pdq = next((signal for signal in hashed.signals if signal.type == "pdq"), None)
    if pdq is None or pdq.quality is None or pdq.quality < QUALITY_MIN:
        return None
    return Picture(path.absolute(), hashed.sha256.hex(), pdq.value, pdq.quality)


def _waves(random: np.random.Generator) -> np.ndarray:
    """Give a field of waves that run across each other, in colours that go over into each other."""
    width, height = SIZE
    y, x = np.mgrid[0:height, 0:width] / height
    field = np.zeros_like(x)
    for _ in range(WAVES):
        angle, pitch, phase = random.uniform((0, 2, 0), (2 * np.pi, 16, 2 * np.pi))
        centre_x, centre_y, bend = random.uniform((0, 0, 0), (width / height, 1, 6))
        straight = x * np.cos(angle) + y * np.sin(angle)
        field += np.sin(pitch * straight + bend * np.hypot(x - centre_x, y - centre_y) + phase)
    tints = random.uniform(0, 2 * np.pi, 3)
    colours = 0.5 + 0.5 * np.cos(field[..., np.newaxis] * 1.2 + tints)
    return np.asarray(colours * 255, dtype=np.uint8)


def _draw_shapes(picture: Image.Image, random: np.random.Generator) -> None:
    width, height = picture.size
    draw = ImageDraw.Draw(picture, "RGBA")
    for number in range(SHAPES):
        x, y, size = random.uniform((0, 0, height / 16), (width, height, height / 5))
        colour = (*map(int, random.integers(0, 256, 3)), 190)
        if number % 2:
            draw.ellipse((x - size, y - size, x + size, y + size), fill=colour)
        else:
            turn = random.uniform(0, 360)
            draw.regular_polygon((x, y, size), n_sides=int(random.integers(3, 7)), rotation=turn, fill=colour)
