"""Passwords in URLs, and other secrets: whatever repeats what somebody wrote leaves them out."""

from __future__ import annotations

import re
from typing import Final, overload

MASK: Final = "***"

_USER: Final = re.compile(r"(?<=://)\S*@")
_KEY: Final = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)
_NAMED: Final = re.compile(
    r"(?P<name>password|passwd|passphrase|secret|api[_-]?key|(?<![a-z])pin(?:-value)?)"
    r"(?P<sign>\"?\s*[=:]\s*)(?:\"[^\"]*\"|[^\s;&,\"]+)",
    re.IGNORECASE,
)
_TOKEN: Final = re.compile(r"\b(?P<id>hp_[0-9a-f]+_)[\w-]+")
_WEBHOOK: Final = re.compile(r"\b(?P<kind>whs(?:ec|k)_)[\w+/=-]+")
_BEARER: Final = re.compile(r"\b(?P<scheme>bearer|basic)\s+[\w.~+/=-]{8,}", re.IGNORECASE)


@overload
def without_passwords(text: str) -> str: ...


@overload
def without_passwords(text: None) -> None: ...


def without_passwords(text: str | None) -> str | None:
    """Give a text with everything masked that stands before an ``@`` in a URL, however a password is spelled."""
    return None if text is None else _USER.sub(f"{MASK}@", text)


def without_secrets(text: str) -> str:
    """Give a text without passwords in URLs, private keys, tokens, and what is called a password or PIN."""
    shown = _KEY.sub(MASK, without_passwords(text))
    shown = _TOKEN.sub(rf"\g<id>{MASK}", shown)
    shown = _WEBHOOK.sub(rf"\g<kind>{MASK}", shown)
    shown = _BEARER.sub(rf"\g<scheme> {MASK}", shown)
    return _NAMED.sub(rf"\g<name>\g<sign>{MASK}", shown)
