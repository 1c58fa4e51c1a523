"""Passwords in URLs: whatever repeats what somebody wrote leaves them out."""

from __future__ import annotations

import re
from typing import Final, overload

_USER: Final = re.compile(r"(?<=://)\S*@")


@overload
def without_passwords(text: str) -> str: ...


@overload
def without_passwords(text: None) -> None: ...


def without_passwords(text: str | None) -> str | None:
    """Give a text with everything masked that stands before an ``@`` in a URL, however a password is spelled."""
    return None if text is None else _USER.sub("***@", text)
