"""Where passphrases of key files and PINs of tokens come from: environment, file, or person; never an argument."""

from __future__ import annotations

import getpass
import os
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from hashpact_node.cli.output import warn
from hashpact_node.settings import Settings
from hashpact_protocol.errors import KeyUnavailableError

VARIABLE: Final = "HASHPACT_PASSPHRASE"
PIN_VARIABLE: Final = "HASHPACT_PIN"
PIN_FILE_VARIABLE: Final = "HASHPACT_PIN_FILE"
FILE_NAME: Final = "passphrase"
"""A file of this name in the home is taken where nothing else is said; ``hashpact run`` may have made it."""

FILE_MAX_BYTES: Final = 4_096
_MEND: Final = (
    "set HASHPACT_PASSPHRASE_FILE to a file that holds it (or HASHPACT_PASSPHRASE to itself), or use a terminal"
)

_PIN_MEND: Final = (
    "name a file that holds it in the key's URI (pin-source=file:PATH) or with HASHPACT_PIN_FILE, set HASHPACT_PIN to "
    "itself, or use a terminal"
)


class PassphraseSource:
    """Gives the passphrase when a key file is first needed, and the PIN of a token.

    Where it is ``new``, a person types the passphrase twice. A file that ``hashpact run`` may have ``made`` is looked
    for only in a home. ``environment`` is the process's own unless it is given.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        new: bool = False,
        made: bool = True,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._settings = settings
        self._new = new
        self._made = made
        self._environment = os.environ if environment is None else environment

    @property
    def file(self) -> Path | None:
        """The file that holds it, if there is one."""
        if self._settings.passphrase_file is not None:
            return self._settings.passphrase_file
        made = self._settings.home / FILE_NAME
        return made if self._made and made.exists() else None

    @property
    def is_known(self) -> bool:
        """Whether it can be had without a person."""
        return VARIABLE in self._environment or self.file is not None

    def __call__(self) -> bytes:
        """Give the passphrase; KeyUnavailableError when there is none, or an empty one."""
        if VARIABLE in self._environment:
            return _not_empty(os.fsencode(self._environment[VARIABLE]), VARIABLE)
        if self.file is not None:
            return _read_file(self.file, "passphrase")
        if not sys.stdin.isatty():
            raise KeyUnavailableError("the key files need their passphrase, and there is no terminal", mend=_MEND)
        return _ask_new() if self._new else _not_empty(_ask("Passphrase of the key files: "), "terminal")

    def pin(self, token: str) -> str:
        """Give the PIN of a token, which is told in words; KeyUnavailableError when there is none, or no text."""
        if PIN_VARIABLE in self._environment:
            return _text(os.fsencode(self._environment[PIN_VARIABLE]), PIN_VARIABLE)
        if self._environment.get(PIN_FILE_VARIABLE):
            file = Path(self._environment[PIN_FILE_VARIABLE])
            return _text(_read_file(file, "PIN"), str(file))
        if not sys.stdin.isatty():
            raise KeyUnavailableError("this token needs its PIN, and there is no terminal", where=token, mend=_PIN_MEND)
        return _text(_ask(f"PIN of the {token}: "), "terminal")


def make_passphrase_file(home: Path, passphrase: str) -> Path:
    """Write a passphrase into a new file of the home that only its owner can read; KeyUnavailableError."""
    path = home / FILE_NAME
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(f"{passphrase}\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise KeyUnavailableError(
            f"the passphrase file cannot be written: {error.strerror}",
            where=str(path),
            mend="check who owns the folder",
        ) from error
    return path


def _read_file(path: Path, what: str) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(FILE_MAX_BYTES + 1)
            mode = os.fstat(file.fileno()).st_mode
    except OSError as error:
        raise KeyUnavailableError(
            f"the {what} file cannot be read: {error.strerror}",
            where=str(path),
            mend=f"check HASHPACT_{what.upper()}_FILE" + (", or passphrase_file in node.toml" * (what != "PIN")),
        ) from error
    if len(data) > FILE_MAX_BYTES:
        raise KeyUnavailableError(
            f"the {what} file is longer than {FILE_MAX_BYTES} bytes", where=str(path), mend="is it the right file?"
        )
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        warn(f"other users may read the {what} file {path}", mend=f"chmod 600 {path}, unless only you can get there")
    return _not_empty(data.split(b"\n", 1)[0].rstrip(b"\r"), str(path), what)


def _ask_new() -> bytes:
    passphrase = _not_empty(_ask("A passphrase for the new key files: "), "terminal")
    if _ask("The same again: ") != passphrase:
        raise KeyUnavailableError("the two passphrases differ", mend="try again; nothing was made")
    return passphrase


def _ask(prompt: str) -> bytes:
    return getpass.getpass(prompt, stream=sys.stderr).encode()


def _text(pin: bytes, where: str) -> str:
    try:
        return _not_empty(pin, where, "PIN").decode()
    except UnicodeDecodeError:
        raise KeyUnavailableError("the PIN is not UTF-8", where=where, mend=_PIN_MEND) from None


def _not_empty(secret: bytes, where: str, what: str = "passphrase") -> bytes:
    if not secret:
        raise KeyUnavailableError(f"the {what} is empty", where=where, mend=_PIN_MEND if what == "PIN" else _MEND)
    return secret
