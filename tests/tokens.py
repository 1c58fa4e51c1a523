"""Real tokens for tests: SoftHSM2, in a folder of their own."""

from __future__ import annotations

import importlib.util
import itertools
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hashpact_keys.keystore import KeyStore

PIN: Final = "271828"
SECURITY_OFFICER_PIN: Final = "31415926"

MODULES: Final = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
)


def find_module() -> Path | None:
    """Give SoftHSM2's module, or None where it is not installed."""
    return next((Path(path) for path in MODULES if Path(path).is_file()), None)


def why_no_soft_hsm() -> str | None:
    """Say why there can be no tokens here; None where there can."""
    if find_module() is None or shutil.which("softhsm2-util") is None:
        return "SoftHSM2 is not installed (Debian: softhsm2), so nothing can be tried on a token"
    if importlib.util.find_spec("pkcs11") is None:
        return "python-pkcs11 is not installed, so nothing can be tried on a token"
    return None


class SoftHsm:
    """SoftHSM2 with its tokens in one folder; SOFTHSM2_CONF must name ``configuration``."""

    def __init__(self, folder: Path) -> None:
        self.tokens = folder / "tokens"
        self.tokens.mkdir()
        self.configuration = folder / "softhsm2.conf"
        self.configuration.write_text(
            f"directories.tokendir = {self.tokens}\nobjectstore.backend = file\nlog.level = ERROR\n"
        )
        self._away = folder / "away"
        self._numbers = itertools.count(1)

    @property
    def module(self) -> Path:
        """The module to load."""
        found = find_module()
        assert found is not None
        return found

    def new_token(self, label: str | None = None) -> SoftToken:
        """Set up a token."""
        name = label or f"token {next(self._numbers)}"
        command = ["softhsm2-util", "--init-token", "--free", "--label", name, "--pin", PIN]
        subprocess.run(
            [*command, "--so-pin", SECURITY_OFFICER_PIN],
            env={"SOFTHSM2_CONF": str(self.configuration), "PATH": "/usr/bin:/usr/local/bin"},
            check=True,
            capture_output=True,
        )
        return SoftToken(self, name)

    @contextmanager
    def removed(self) -> Iterator[None]:
        """Pull all tokens out, and put them back in the end."""
        self.tokens.rename(self._away)
        self.tokens.mkdir()
        try:
            yield
        finally:
            self.tokens.rmdir()
            self._away.rename(self.tokens)


@dataclass(frozen=True, slots=True)
class SoftToken:
    """One token, by its label."""

    hsm: SoftHsm
    label: str

    def uri(self, name: str, *more: str, query: str = "") -> str:
        """Give the URI of a key; ``more`` are further attributes of the path."""
        path = ";".join((f"token={self.label.replace(' ', '%20')}", f"object={name}", *more))
        return f"pkcs11:{path}?module-path={self.hsm.module}{query}"


def keystore_with_pin(home: Path, pin: str = PIN, asked: list[str] | None = None) -> KeyStore:
    """Give a key store that knows the PIN; ``asked`` is told of which token it was asked."""

    def tell(token: str) -> str:
        if asked is not None:
            asked.append(token)
        return pin

    return KeyStore(home, lambda: b"passphrase of a test", pin=tell, kdf_rounds=1)


def forget_tokens(hsm: SoftHsm) -> None:
    """Let this process know nothing of tokens any more: no session, no PIN, as if it had just begun."""
    import pkcs11  # noqa: PLC0415  an extra

    from hashpact_keys import pkcs11_token  # noqa: PLC0415  it needs the extra

    pkcs11.lib(str(hsm.module.resolve())).reinitialize()
    pkcs11_token._MODULES.clear()
