"""Files for others to read, written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from hashpact_protocol.errors import RequestError


def write_whole(target: Path, data: bytes) -> None:
    """Write a file that everybody may read, whole or not at all; raises RequestError."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, draft = tempfile.mkstemp(dir=target.parent, prefix=".draft-")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
            Path(draft).chmod(0o644)
            Path(draft).replace(target)
        finally:
            Path(draft).unlink(missing_ok=True)
    except OSError as error:
        raise RequestError(
            f"the file cannot be written: {error.strerror}", where=str(target), mend="check the folder and its disk"
        ) from error
