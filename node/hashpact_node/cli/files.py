"""Files that commands read and write: under a cap, and whole or not at all."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TextIO

from hashpact_protocol.errors import RequestError

INPUT_MAX_BYTES: Final = 4 * 1024 * 1024


def read_input(path: Path, *, max_bytes: int = INPUT_MAX_BYTES) -> bytes:
    """Read a file that a person named; RequestError when it cannot be read or is too long to be what it should be."""
    try:
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except OSError as error:
        raise RequestError(
            f"the file cannot be read: {error.strerror}", where=str(path), mend="check its name and its permissions"
        ) from error
    if len(data) > max_bytes:
        raise RequestError(f"the file is longer than {max_bytes:,} bytes", where=str(path), mend="is it the right one?")
    return data


@contextmanager
def text_output(path: Path | None) -> Iterator[TextIO]:
    """Yield where a result is written: standard output, or a file that appears when the body has ended well.

    OSError passes.
    """
    if path is None or str(path) == "-":
        yield sys.stdout
        return
    descriptor, draft = tempfile.mkstemp(dir=path.absolute().parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            yield file
        Path(draft).chmod(0o644)
        Path(draft).replace(path)
    finally:
        Path(draft).unlink(missing_ok=True)
