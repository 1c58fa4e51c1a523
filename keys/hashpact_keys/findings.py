"""What may be wrong with a member's keys: every kind of finding, its weight, and what to do about it.

``KINDS`` is the one list; docs/operations.md, Findings about keys, shows it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from hashpact_keys.rows import RowName


class Severity(StrEnum):
    """How much a finding weighs: mend it now, mend it soon, or know it."""

    ERROR = "error"
    WARNING = "warning"
    NOTICE = "notice"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of finding: its weight, what it says in general, and what to do."""

    severity: Severity
    what: str
    mend: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that somebody should know or mend; ``row`` and ``where`` are None where it is about none."""

    code: str
    severity: Severity
    row: RowName | None
    what: str
    where: str | None
    mend: str


KINDS: Final = {
    "offline-key-here": Kind(
        Severity.ERROR,
        "the file of a root or targets key lies on the serving host",
        "move it to a machine that is never online (root) or to a security officer's machine or HSM (targets), and "
        "delete it here, copies included",
    ),
    "offline-key-callable": Kind(
        Severity.WARNING,
        "the configuration of the serving host names a root key in a device or a cloud",
        "take it out of `[keys]` in node.toml: root keys sign in ceremonies, on other machines",
    ),
    "former-key-here": Kind(
        Severity.WARNING,
        "the file of a root or targets key that an earlier root named lies on the serving host; whoever pins that "
        "earlier root could be deceived with it",
        "delete it here, once a copy is kept offline if you want one",
    ),
    "root-threshold": Kind(
        Severity.ERROR,
        "one root key alone is enough, or there are fewer than three",
        "sign a new root with three keys or more, of which two or more must sign: `hashpact keys ceremony start`",
    ),
    "too-few-keys": Kind(
        Severity.ERROR,
        "fewer keys are at hand than must sign",
        "bring the missing key files back, or let the root holders sign a root with other keys",
    ),
    "reused-in-rows": Kind(
        Severity.ERROR,
        "one key serves two rows",
        "give one of the rows another key: `hashpact keys rotate`, or a ceremony for root, targets and online",
    ),
    "reused-by-members": Kind(
        Severity.ERROR,
        "two members name the same public key",
        "if it is ours, replace it at once: `hashpact keys rotate`; else ask both members",
    ),
    "file-unencrypted": Kind(
        Severity.ERROR,
        "a key file is not encrypted",
        "set a passphrase with `ssh-keygen -p -f FILE`; replace the key if a copy or backup may have been read",
    ),
    "file-readable": Kind(
        Severity.ERROR,
        "other users may read or change a key file",
        "run `chmod 600 FILE`, and replace the key if somebody else could have read it",
    ),
    "file-weak": Kind(
        Severity.WARNING,
        "a key file's passphrase can be tried quickly: few rounds of bcrypt",
        "write it anew with `ssh-keygen -p -a 64 -f FILE`",
    ),
    "file-form": Kind(
        Severity.WARNING,
        "a key file has another form than OpenSSH's, whose protection by a passphrase is weaker or cannot be seen",
        "make a key in OpenSSH's form and rotate the row",
    ),
    "key-unreadable": Kind(
        Severity.ERROR,
        "a key that is configured cannot be read",
        "check the path under `[keys]`, and that the node's user owns the file; or restore it from a backup",
    ),
    "key-missing": Kind(
        Severity.ERROR,
        "card or root name a key, and its private half is not here",
        "restore the key file that belongs to the card, or replace the key: `hashpact keys rotate`",
    ),
    "key-not-named": Kind(
        Severity.WARNING,
        "a key is configured that neither card nor root names, so nobody believes what it signs",
        "take it out of `[keys]` in node.toml, or sign a card (a root) that names it",
    ),
    "rotation-unfinished": Kind(
        Severity.WARNING,
        "a row has had two keys for more than 14 days",
        "finish the rotation: `hashpact keys rotate`, with `--finish`",
    ),
    "expires-soon": Kind(
        Severity.WARNING,
        "a role or key ends in 30 days or less; an error from 7 days on",
        "see who must act in `hashpact keys status`",
    ),
    "expired": Kind(
        Severity.ERROR,
        "a role or key has ended: peers refuse what hangs on it",
        "see who must act in `hashpact keys status`, and do it now",
    ),
    "renewal-fails": Kind(
        Severity.ERROR,
        "the node could not sign snapshot and timestamp, or its own cosignatures, anew; an alarm says why",
        "mend what the alarm says; peers call us stale in 6 hours, and refuse us in half a day",
    ),
    "renewal-late": Kind(
        Severity.WARNING,
        "snapshot or timestamp has less than a quarter of its life left: the node does not renew it",
        "look at the job `renew-trust` in `hashpact status`, and at the alarms",
    ),
    "clock-skew": Kind(
        Severity.WARNING,
        "our clock differs from that of our peers by more than 60 s; an error from 5 minutes on",
        "set the clock right (chrony, systemd-timesyncd)",
    ),
    "scan-incomplete": Kind(
        Severity.WARNING,
        "the home holds more files than are looked through for keys, or some that cannot be read",
        "move what is not the node's elsewhere",
    ),
    "not-looked-at": Kind(
        Severity.NOTICE,
        "a key lives in a device or a cloud, which is never opened for a look",
        "nothing, if that is where it should live; `hashpact keys public` opens it",
    ),
}
"""Every kind of finding by its code."""


def finding(
    code: str,
    row: RowName | None,
    what: str,
    *,
    where: str | None = None,
    mend: str | None = None,
    severity: Severity | None = None,
) -> Finding:
    """A finding of a kind; ``mend`` and ``severity`` are those of its kind unless they are given."""
    kind = KINDS[code]
    return Finding(code, severity or kind.severity, row, what, where, mend or kind.mend)
