"""What ``--dump DIR`` keeps: the bytes that went over the wire, in a folder for each case."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass
class Dump:
    """The folder of one case; without one, nothing is kept."""

    folder: Path | None
    count: int = 0

    @classmethod
    def of_case(cls, folder: Path | None, case_id: str) -> Dump:
        """Give the dump of a case below ``folder``."""
        return cls(None if folder is None else folder / case_id)

    def keep(self, name: str, data: bytes) -> None:
        """Keep some bytes under the next number and a name; slashes in it become dashes."""
        self.count += 1
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            place = self.folder / f"{self.count:04d}-{name.strip('/').replace('/', '-')[:150]}"
            place.write_bytes(data)
