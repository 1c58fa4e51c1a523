"""Tokens behind PKCS#11 modules: loaded once a process, one caller at a time, one logged-in session a token.

A token locks itself, often for good, after a few wrong PINs. So a PIN that was refused is never tried again by this
process, and a token that says that it is near its end is left alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import pkcs11
from pkcs11 import exceptions as failures
from pkcs11 import types

from hashpact_keys.pkcs11_uri import Pkcs11Uri
from hashpact_protocol.errors import KeyUnavailableError

if TYPE_CHECKING:
    from pkcs11._pkcs11 import lib

Result = TypeVar("Result")

_WRONG_PIN: Final = (
    failures.PinIncorrect,
    failures.PinInvalid,
    failures.PinLenRange,
)
_PIN_MEND: Final = (
    "it is not tried again, because tokens lock after a few wrong PINs: correct pin-source, HASHPACT_PIN or "
    "HASHPACT_PIN_FILE, then start again"
)
_Identity = tuple[str, bytes, str, str, int]


@dataclass(slots=True)
class Login:
    """A session that is logged in, and the private keys that were found through it."""

    session: types.Session
    keys: dict[tuple[str | None, bytes | None], types.SignMixin] = field(default_factory=dict)


class Module:
    """One PKCS#11 module; ask ``module_of`` for it. Its methods may be called by any thread, and take turns.

    The lock is one for all of the module: python-pkcs11 tells modules that they need not mind threads.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._lock = threading.RLock()
        self._logins: dict[_Identity, Login] = {}
        self._known: dict[Pkcs11Uri, Login] = {}
        self._pins: dict[_Identity, str] = {}
        self._refused: set[tuple[_Identity, str]] = set()

    def signed_in(self, uri: Pkcs11Uri, pin: Callable[[], str], work: Callable[[Login], Result]) -> Result:
        """Do ``work`` in a session that is logged in; ``pin`` is asked once, when it is first needed.

        What fails is tried once more with a new session: a token that was away, and is back, works again.

        Raises:
            KeyUnavailableError: no module, no token, a wrong PIN, or the work failed twice.
        """
        with self._lock:
            try:
                return work(self._login(uri, pin))
            except failures.PKCS11Error:
                self._reset(uri)
            try:
                return work(self._login(uri, pin))
            except failures.PKCS11Error as error:
                self._reset(uri)
                raise _unavailable(error, uri) from error

    def looking(self, uri: Pkcs11Uri, work: Callable[[types.Session], Result]) -> Result:
        """Do ``work`` in a session that needs no PIN: of public objects; it is tried twice like ``signed_in``.

        Raises KeyUnavailableError.
        """
        with self._lock:
            try:
                return self._look(uri, work)
            except failures.PKCS11Error:
                self._reset(uri)
            try:
                return self._look(uri, work)
            except failures.PKCS11Error as error:
                raise _unavailable(error, uri) from error

    def _look(self, uri: Pkcs11Uri, work: Callable[[types.Session], Result]) -> Result:
        session = self._find(uri).open()
        try:
            return work(session)
        finally:
            _close(session)

    def changing(self, uri: Pkcs11Uri, pin: Callable[[], str], work: Callable[[types.Session], Result]) -> Result:
        """Do ``work`` in a session of its own that may change the token; it is not tried twice.

        Raises:
            KeyUnavailableError: no module, no token, a wrong PIN, or the work failed.
        """
        with self._lock:
            self._reset(uri)
            try:
                token = self._find(uri)
                session = self._open(token, uri, pin, changes=True)
                try:
                    return work(session)
                finally:
                    _close(session)
            except failures.PKCS11Error as error:
                raise _unavailable(error, uri) from error

    def _login(self, uri: Pkcs11Uri, pin: Callable[[], str]) -> Login:
        login = self._known.get(uri)
        if login is None:
            token = self._find(uri)
            login = self._logins.get(_identity(token))
            if login is None:
                login = self._logins[_identity(token)] = Login(self._open(token, uri, pin))
            self._known[uri] = login
        return login

    def _open(
        self, token: types.Token, uri: Pkcs11Uri, pin: Callable[[], str], *, changes: bool = False
    ) -> types.Session:
        if not token.flags & pkcs11.TokenFlag.LOGIN_REQUIRED:
            return token.open(rw=changes)
        check_not_locked(token.flags, uri)
        if token.flags & pkcs11.TokenFlag.PROTECTED_AUTHENTICATION_PATH:
            return token.open(rw=changes, user_pin=pkcs11.PROTECTED_AUTH)
        who = _identity(token)
        known = self._pins.get(who) or pin()
        if (who, known) in self._refused:
            raise KeyUnavailableError("the token has refused this PIN before", where=uri.token_name, mend=_PIN_MEND)
        try:
            session = token.open(rw=changes, user_pin=known)
        except _WRONG_PIN as error:
            self._refused.add((who, known))
            self._pins.pop(who, None)
            raise KeyUnavailableError("the token refuses this PIN", where=uri.token_name, mend=_PIN_MEND) from error
        self._pins[who] = known
        return session

    def _find(self, uri: Pkcs11Uri) -> types.Token:
        found = [token for token in self._tokens(uri) if _matches(token, uri)]
        if not found:
            self._reset(uri)
            found = [token for token in self._tokens(uri) if _matches(token, uri)]
        if len(found) == 1:
            return found[0]
        if found:
            raise KeyUnavailableError(
                f"{len(found)} tokens match",
                where=uri.text,
                mend="say which: add token=, serial= or slot-id= to the URI",
            )
        raise KeyUnavailableError(
            "this token is not there",
            where=uri.token_name,
            mend="insert it, or see that its module reaches it; it is used again as soon as it is back",
        )

    def _tokens(self, uri: Pkcs11Uri) -> list[types.Token]:
        """The tokens that are inserted and set up; those that cannot be read just now are not."""
        tokens = []
        for slot in self._load(uri).get_slots(token_present=True):
            try:
                tokens.append(slot.get_token())
            except (failures.TokenNotPresent, failures.TokenNotRecognised, failures.DeviceRemoved):
                continue
        return [token for token in tokens if token.flags & pkcs11.TokenFlag.TOKEN_INITIALIZED]

    def _load(self, uri: Pkcs11Uri) -> lib:
        try:
            return pkcs11.lib(self._path)
        except failures.PKCS11Error as error:
            raise KeyUnavailableError(
                f"this PKCS#11 module cannot be used: {str(error) or type(error).__name__}",
                where=uri.module,
                mend="install the module of the token's maker, and give its file as module-path",
            ) from error

    def _reset(self, uri: Pkcs11Uri) -> None:
        """Forget all sessions and start the module anew: some see a token that came back only then."""
        self._logins.clear()
        self._known.clear()
        try:
            self._load(uri).reinitialize()
        except failures.PKCS11Error as error:
            raise _unavailable(error, uri) from error


_MODULES: dict[str, Module] = {}
_MODULES_LOCK: Final = threading.Lock()


def module_of(uri: Pkcs11Uri) -> Module:
    """The module that a URI names, the same one for all that name it. Nothing is loaded yet."""
    path = str(Path(uri.module).resolve())
    with _MODULES_LOCK:
        return _MODULES.setdefault(path, Module(path))


def check_not_locked(flags: pkcs11.TokenFlag, uri: Pkcs11Uri) -> None:
    """Raise KeyUnavailableError when a token is locked, or would be by one more wrong PIN."""
    if flags & pkcs11.TokenFlag.USER_PIN_LOCKED:
        raise KeyUnavailableError(
            "the token is locked after too many wrong PINs",
            where=uri.token_name,
            mend="unlock it with the tool of its maker and its security officer's PIN",
        )
    if flags & pkcs11.TokenFlag.USER_PIN_FINAL_TRY:
        raise KeyUnavailableError(
            "one more wrong PIN locks the token, so that none is tried",
            where=uri.token_name,
            mend="log in once with the tool of its maker; that gives back all tries",
        )


def _identity(token: types.Token) -> _Identity:
    return token.label, token.serial, token.manufacturer_id, token.model, token.slot.slot_id


def _matches(token: types.Token, uri: Pkcs11Uri) -> bool:
    said = (uri.token, uri.serial, uri.manufacturer, uri.model, uri.slot_id)
    is_so = (
        token.label,
        token.serial.decode("utf-8", "replace"),
        token.manufacturer_id,
        token.model,
        token.slot.slot_id,
    )
    return all(one is None or one == other for one, other in zip(said, is_so, strict=True))


def _close(session: types.Session) -> None:
    try:
        session.close()
    except failures.PKCS11Error:
        return  # the token is gone, and its sessions with it


def _unavailable(error: failures.PKCS11Error, uri: Pkcs11Uri) -> KeyUnavailableError:
    name = type(error).__name__
    if isinstance(error, failures.PinLocked):
        what, mend = "the token is locked after too many wrong PINs", "unlock it with the tool of its maker"
    elif isinstance(error, failures.UserPinNotInitialized):
        what, mend = "the token has no PIN yet", "set it up with the tool of its maker"
    elif isinstance(error, failures.MechanismInvalid):
        what, mend = (
            "the token cannot do this with a key of this kind",
            "rows that sign TUF metadata (root, targets, online) may use ECDSA P-256; other rows need Ed25519",
        )
    else:
        what, mend = f"the token failed ({name})", "see that it is inserted and reachable, then try again"
    return KeyUnavailableError(what, where=uri.token_name, mend=mend)
