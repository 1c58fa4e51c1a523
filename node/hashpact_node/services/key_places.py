"""Where this home's keys are found, by row: the ``keys`` of ``node.toml``, which commands write and a node reads again.

What is written here gives no key any power: the card and the root do. So a key is added here before the card names it,
and taken out after; a crash between the two leaves a line that nobody heeds.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog
import tomlkit
from tomlkit.exceptions import TOMLKitError

from hashpact_node.setting_forms import DEFAULT_KEYS
from hashpact_node.settings import NODE_TOML, Settings, load_settings
from hashpact_protocol.errors import ConfigurationError

VARIABLE = "HASHPACT_KEYS"

log = structlog.get_logger(__name__)


@dataclass
class KeyPlaces(Mapping[str, tuple[str, ...]]):
    """The URIs of each row's keys, newest first, as ``node.toml`` has them now; shared by threads.

    They begin with what the settings say, and are read again when the file has changed. A file that cannot be read just
    now leaves what was read last in force. What the environment says never changes.
    """

    settings: Settings
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)
    _seen: tuple[int, ...] = field(init=False, repr=False)
    _known: Mapping[str, tuple[str, ...]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._seen, self._known = self._state(), self.settings.keys

    def __getitem__(self, row: str) -> tuple[str, ...]:
        return self._read()[row]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def add(self, row: str, uri: str) -> None:
        """Put a key before the others of its row, or of an audience's log; one that stands there moves to the front.

        Raises ConfigurationError when the file cannot be changed.
        """
        self._change(row, lambda uris: (uri, *(one for one in uris if one != uri)))

    def remove(self, row: str, uri: str) -> None:
        """Take a key out of its row; raises ConfigurationError when the file cannot be changed."""
        self._change(row, lambda uris: tuple(one for one in uris if one != uri))

    def _read(self) -> Mapping[str, tuple[str, ...]]:
        if self.settings.keys_fixed:
            return self._known
        with self._lock:
            seen = self._state()
            if seen != self._seen:
                self._seen = seen
                try:
                    self._known = load_settings({}, self.settings.home).keys
                except ConfigurationError as error:
                    log.warning(
                        "node.toml has changed and cannot be read; the keys stay as they were", error=str(error)
                    )
            return self._known

    def _state(self) -> tuple[int, ...]:
        try:
            state = (self.settings.home / NODE_TOML).stat()
        except FileNotFoundError:
            return ()
        return (state.st_ino, state.st_mtime_ns, state.st_size)

    def _change(self, row: str, change: Callable[[tuple[str, ...]], tuple[str, ...]]) -> None:
        if self.settings.keys_fixed:
            raise ConfigurationError(
                "the keys are set by the environment, which a command cannot change",
                where=VARIABLE,
                mend=f"move them into the table [keys] of {NODE_TOML}, and take the variable away",
            )
        before = self.get(row, ())
        after = change(before)
        if after != before:
            _write(self.settings.home / NODE_TOML, row, after)


def _write(path: Path, row: str, uris: tuple[str, ...]) -> None:
    """Write one row of the table ``keys``; all else in the file stays as its author wrote it."""
    try:
        document = tomlkit.parse(path.read_text(encoding="utf-8"))
        table: Any = document.setdefault("keys", tomlkit.table())
        if uris == DEFAULT_KEYS.get(row, ()):
            table.pop(row, None)
        else:
            table[row] = uris[0] if len(uris) == 1 else list(uris)
        if not table:
            document.pop("keys")
        _replace(path, tomlkit.dumps(document))
    except (OSError, UnicodeDecodeError, TOMLKitError) as error:
        raise ConfigurationError(
            f"the file cannot be changed: {error}",
            where=str(path),
            mend="see that the node's user may write it, and that the disk has room; then run the command again",
        ) from error


def _replace(path: Path, text: str) -> None:
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=".node-", suffix=".toml")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fchmod(descriptor, path.stat().st_mode & 0o777)
            os.fsync(file.fileno())
        Path(draft).replace(path)
    finally:
        Path(draft).unlink(missing_ok=True)
