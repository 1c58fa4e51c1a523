"""Which commands change something, so that the audit log tells of them, and what it tells.

A command that is not named here is recorded, without what it was given. A test sees that every command is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

ASKS: Final = None

COMMANDS: Final[Mapping[str, tuple[str, ...] | None]] = {
    # What looks and changes nothing.
    "alarms list": ASKS,
    "audience list": ASKS,
    "audience show": ASKS,
    "audit export": ASKS,
    "audit show": ASKS,
    "audit verify": ASKS,
    "blocklist export": ASKS,
    "blocklist digest": ASKS,
    "blocklist show": ASKS,
    "demo": ASKS,
    "doctor": ASKS,
    "evidence export": ASKS,
    "evidence list": ASKS,
    "evidence show": ASKS,
    "evidence verify": ASKS,
    "keys ceremony status": ASKS,
    "keys check": ASKS,
    "keys public": ASKS,
    "keys status": ASKS,
    "listing show": ASKS,
    "logs export": ASKS,
    "logs status": ASKS,
    "match": ASKS,
    "openapi": ASKS,
    "peer list": ASKS,
    "peer show": ASKS,
    "peer undone": ASKS,
    "prove": ASKS,
    "status": ASKS,
    "token list": ASKS,
    "verify-proof": ASKS,
    # What a key's holder does on a machine that has no node, and so no audit log.
    "keys ceremony sign": ASKS,
    "keys generate": ASKS,
    "tuf-client download": ASKS,
    "tuf-client init": ASKS,
    "tuf-client refresh": ASKS,
    # What changes something, and which of its parameters are told: the first is the subject. Never a secret.
    "alarms clear": ("numbers",),
    "audience add-member": ("name", "members"),
    "audience close": ("name",),
    "audience create": ("name", "members"),
    "audience move": ("name", "to", "reason"),
    "audience remove-member": ("name", "members"),
    "backup": ("file", "with_keys"),
    "erase": ("listing", "reason", "at_once"),
    "evidence compare": ("member",),
    "import": ("log", "file", "origin", "audience"),
    "init": ("member", "url"),
    "keys ceremony publish": ("drafts",),
    "keys ceremony start": ("draft", "online", "with_card", "card"),
    "keys recover": ("name", "since", "size", "reaffirm", "reason"),
    "keys revoke": ("row",),
    "keys rotate": ("row", "finish", "at_once"),
    "keys take-out": ("to", "destroy"),
    "listing move": ("listing", "audience", "reason"),
    "logs close": ("name", "at"),
    "logs open": ("name", "fresh"),
    "peer add": ("member", "url", "fingerprint"),
    "peer pause": ("member",),
    "peer pull": ("member",),
    "peer remove": ("member",),
    "peer resume": ("member",),
    "publish": ("log", "origin", "incident", "audience"),
    "rebuild": (),
    "restore": ("file",),
    "run": (),
    "serve": ("alone",),
    "token create": ("name", "scope", "expires", "per_minute"),
    "token revoke": ("identifier",),
    "withdraw": ("listing", "reason"),
}
