"""``pkcs11:`` URIs (RFC 7512): which key, on which token, through which module, and where its PIN is found."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn
from urllib.parse import unquote_to_bytes

from hashpact_protocol.errors import ConfigurationError

EXAMPLE: Final = "pkcs11:token=hashpact;object=release?module-path=/usr/lib/softhsm/libsofthsm2.so"

MODULE_FOLDERS: Final = (
    "/usr/lib/*/pkcs11",
    "/usr/lib64/pkcs11",
    "/usr/lib/pkcs11",
    "/usr/local/lib/pkcs11",
    "/usr/lib/softhsm",
    "/usr/lib/*",
    "/usr/lib64",
    "/usr/local/lib",
    "/usr/lib",
)
"""Where ``module-name`` is looked for, in this order."""

_TEXTS: Final = frozenset({"token", "manufacturer", "serial", "model", "object"})
_PATH: Final = _TEXTS | {"slot-id", "id", "type"}
_QUERY: Final = frozenset({"module-path", "module-name", "pin-source"})
_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_SLOT: Final = re.compile(r"[0-9]{1,10}")
_NAME: Final = re.compile(r"[A-Za-z0-9._+-]+")
_MEND: Final = f"see docs/keys.md; for example {EXAMPLE}"


@dataclass(frozen=True, slots=True)
class Pkcs11Uri:
    """One key on one token; ``None`` where the URI says nothing.

    ``text`` is the URI as it was given; it holds no secret. ``pin_file`` is from ``pin-source``, a relative one to be
    taken from the home.
    """

    text: str
    module: str
    token: str | None = None
    manufacturer: str | None = None
    model: str | None = None
    serial: str | None = None
    slot_id: int | None = None
    object: str | None = None
    id: bytes | None = None
    pin_file: Path | None = None

    @property
    def token_name(self) -> str:
        """The token as people know it."""
        if self.token is not None:
            return f"token {self.token!r}"
        if self.serial is not None:
            return f"token with the serial number {self.serial!r}"
        return "token" if self.slot_id is None else f"token in slot {self.slot_id}"


def parse_pkcs11_uri(text: str) -> Pkcs11Uri:
    """Read a ``pkcs11:`` URI. The module that it names is looked for, and not loaded.

    Raises:
        ConfigurationError: it does not have its form, says what is not understood, or tells a PIN.
    """
    scheme, _, rest = text.partition(":")
    path_text, _, query_text = rest.partition("?")
    # A PIN must not be shown again, so it is looked for before anything else can quote the URI.
    if re.search(r"(^|[?&;])pin-value=", rest):
        raise ConfigurationError(
            "pin-value tells the PIN to everybody who sees this URI: the configuration, process lists, logs",
            where="pkcs11:…",
            mend="change the PIN, and name a file that holds it: pin-source=file:PATH; or set HASHPACT_PIN_FILE",
        )
    if scheme != "pkcs11":
        _refuse("this is no pkcs11 URI", text)
    path = _attributes(path_text.split(";"), _PATH, text)
    query = _attributes(query_text.split("&"), _QUERY, text)
    if path.get("type", b"private") not in {b"private", b"public"}:
        _refuse("type says neither private nor public: only keys are used", text)
    if "object" not in path and "id" not in path:
        _refuse("this does not say which key: neither object nor id is given", text)
    return Pkcs11Uri(
        text,
        _module(query, text),
        **{
            name: _text(path[name], name, text) for name in ("token", "manufacturer", "model", "serial") if name in path
        },
        slot_id=_slot(path.get("slot-id"), text),
        object=_text(path["object"], "object", text) if "object" in path else None,
        id=path.get("id"),
        pin_file=_pin_file(query.get("pin-source"), text),
    )


def _attributes(parts: Iterable[str], known: frozenset[str], text: str) -> dict[str, bytes]:
    """Attributes by name, percent-decoded; unknown ones are refused, as RFC 7512, section 2.3, wants it of the path."""
    found: dict[str, bytes] = {}
    for part in filter(None, parts):
        name, equals, value = part.partition("=")
        if name not in known:
            _refuse(f"the attribute {name[:40]!a} is not understood here", text)
        if not equals or not value:
            _refuse(f"{name} has no value", text)
        if name in found:
            _refuse(f"{name} is given twice", text)
        if _ESCAPE.search(value):
            _refuse(f"{name} has a % that is not followed by two hex digits", text)
        found[name] = unquote_to_bytes(value)
    return found


def _text(value: bytes, name: str, text: str) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        _refuse(f"{name} is not UTF-8", text)


def _slot(value: bytes | None, text: str) -> int | None:
    if value is None:
        return None
    number = value.decode("latin-1")
    if not _SLOT.fullmatch(number):
        _refuse("slot-id is no number", text)
    return int(number)


def _pin_file(value: bytes | None, text: str) -> Path | None:
    if value is None:
        return None
    source = _text(value, "pin-source", text)
    path = source.removeprefix("file:")
    if path.startswith("///"):
        path = path[2:]
    if not path or path.startswith(("|", "//")) or (source == path and not path.startswith("/")):
        _refuse("pin-source is no file", text, mend="write pin-source=file:PATH; programs are not run for a PIN")
    return Path(path)


def _module(query: dict[str, bytes], text: str) -> str:
    """The path of the module, from ``module-path`` or ``module-name`` or, a folder and a name, from both."""
    path = Path(_text(query["module-path"], "module-path", text)) if "module-path" in query else None
    if path is not None and not path.is_absolute():
        _refuse("module-path is no absolute path", text)
    if "module-name" not in query:
        if path is None:
            _refuse("this does not say through which module the token is reached", text)
        if path.is_dir():
            _refuse("module-path is a folder, and module-name does not say which module in it", text)
        return str(path)
    name = _text(query["module-name"], "module-name", text)
    if not _NAME.fullmatch(name):
        _refuse("module-name is no name of a library without its path", text)
    if path is not None and not path.is_dir():
        _refuse("module-path and module-name are both given, and module-path is no folder", text)
    return _find_module(name, [path] if path is not None else _folders(), text)


def _folders() -> list[Path]:
    return [found for pattern in MODULE_FOLDERS for found in sorted(Path("/").glob(pattern[1:]))]


def _find_module(name: str, folders: Iterable[Path], text: str) -> str:
    files = (folder / file for folder in folders for file in (f"lib{name}.so", f"{name}.so", name))
    found = next((file for file in files if file.is_file()), None)
    if found is None:
        mend = "install it, or give its file: module-path=/…/libNAME.so"
        _refuse(f"there is no module {name!r} in the usual folders", text, mend=mend)
    return str(found)


def _refuse(what: str, text: str, *, mend: str = _MEND) -> NoReturn:
    raise ConfigurationError(what, where=text, mend=mend)
