"""What ``hashpact doctor`` may find in a home: every kind of finding, its weight, and how to mend it.

``KINDS`` is the one list; docs/operations.md, What the doctor finds, shows it. What is wrong with keys has a list of
its own (``hashpact_keys.findings``).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from hashpact_protocol.errors import HashpactError


class Level(StrEnum):
    """How much a finding weighs: nothing is wrong, know it, mend it soon, mend it before anybody is let in."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of finding: its weight, what it says in general, and what to do."""

    level: Level
    what: str
    mend: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One thing that was looked at: how it is, and how to mend it. ``subject`` is added by whoever asked."""

    level: Level
    code: str
    what: str
    where: str | None = None
    mend: str | None = None
    subject: str = ""


_N, _W, _E = Level.NOTE, Level.WARNING, Level.ERROR

KINDS: Final = {
    "url-on-loopback": Kind(
        _N,
        "the member's URL leads to this machine alone",
        "nothing, for a trial; a member that others are to follow is set up with its public URL: `hashpact init`",
    ),
    "url-not-public": Kind(
        _N,
        "the member's URL leads to an address that is not on the public internet",
        "let peers allow that network (`allow_networks`), or give the name a public address",
    ),
    "url-unreachable": Kind(
        _E,
        "nobody answers at the member's own URL, or not from here",
        "see that the node runs, that the proxy before it passes `/trust` on, and that the name leads here",
    ),
    "url-serves-another": Kind(
        _E,
        "the member's URL serves another trust repository than the one of this database",
        "let the name, or the proxy, lead to this node; see that every process works on one database",
    ),
    "url-serves-older": Kind(
        _W,
        "the member's URL serves an older state of the trust repository",
        "let no cache before the node keep `/trust/metadata/timestamp.json`",
    ),
    "url-serves-newer": Kind(
        _E,
        "the member's URL serves a newer state of the trust repository than this database holds",
        "let this home work on the database that is served, or read docs/operations.md, Restoring",
    ),
    "outsiders-read": Kind(
        _E,
        "somebody who signs nothing and carries no token is answered at the public URL",
        "let the proxy pass on nothing but `/trust`, `/logs`, `/witness` and `/mirror`, and those to this node alone",
    ),
    "members-refused": Kind(
        _E,
        "the public URL refuses `/logs` otherwise than a node does, so that peers cannot read either",
        "let the proxy pass `/logs`, `/witness` and `/mirror` on as they come",
    ),
    "outsiders-unknown": Kind(
        _N,
        "nobody could see whether strangers are answered",
        "ask again once the member's URL answers",
    ),
    "certificate-refused": Kind(
        _E,
        "peers do not accept the certificate at the member's URL",
        "serve a certificate for that host by a public authority, with those between it and its authority",
    ),
    "certificate-ends": Kind(
        _W,
        "a certificate ends in 30 days or less; an error from 7 days on",
        "renew it, see why it does not renew itself, and restart what serves it",
    ),
    "certificate-unreadable": Kind(
        _E,
        "`tls_certificate` cannot be read",
        "let it name a file in PEM that the node's user may read",
    ),
    "certificate-of-another-host": Kind(
        _E,
        "`tls_certificate` is not for the host of the member's URL",
        "get a certificate whose names have that host",
    ),
    "no-peers": Kind(_N, "this node follows nobody", "`hashpact peer add` follows a member"),
    "peer-unreachable": Kind(
        _W,
        "a peer does not answer from here",
        "see `hashpact peer show`; ask the member whether its node runs and lets this host in",
    ),
    "peer-failing": Kind(_W, "the last pull of a peer failed", "see `hashpact peer show`, and pull it again"),
    "clock-unknown": Kind(
        _N,
        "no peer said what time it is there",
        "let chrony or systemd-timesyncd keep the clock",
    ),
    "disk-nearly-full": Kind(
        _W,
        "a disk has less than 5 GiB or a tenth of it left; an error below 512 MiB",
        "make room, or move the home or the database to a larger disk",
    ),
    "inodes-nearly-gone": Kind(
        _W,
        "a disk has room for few more files",
        "delete what is not the node's, or move the home to another disk",
    ),
    "database-missing": Kind(
        _E,
        "the database's file is not there",
        "see `database_url`; restore a backup if it is lost: `hashpact restore`",
    ),
    "database-not-usable": Kind(
        _E,
        "the database cannot be reached, or is not of this version",
        "see `database_url`, and that its server runs",
    ),
    "database-of-another": Kind(
        _E,
        "the database is another member's, or nobody's",
        "let `database_url` name this member's database",
    ),
    "database-not-wal": Kind(
        _W,
        "the SQLite file has no write-ahead log, so that readers and writers wait for each other",
        "start the node once, on a disk that can do it",
    ),
    "database-on-network-disk": Kind(
        _E,
        "the SQLite file lies on a network file system, whose locks cannot be relied upon",
        "move it to a local disk, or use PostgreSQL",
    ),
    "database-in-clear": Kind(
        _E,
        "the connection to the database's server is not encrypted and leaves this machine",
        "add `sslmode=verify-full` to `database_url`, and let the server have a certificate",
    ),
    "database-server-old": Kind(
        _W,
        "the database's server is older than PostgreSQL 14, which gets no repairs any more",
        "upgrade the server",
    ),
    "secret-readable": Kind(
        _E,
        "other users may read or change a file that holds a secret",
        "run `chmod 600 FILE`, and replace what it holds if somebody else could have read it",
    ),
    "home-readable": Kind(
        _W,
        "other users may look into the home, or into the database in it",
        "run `chmod 700` on the folder",
    ),
    "secret-missing": Kind(
        _E,
        "a file that the configuration names is not there",
        "put it there, or take its name out of the configuration",
    ),
    "owner-differs": Kind(
        _W,
        "a file of the home belongs to another user than the home",
        "run `chown` on it, lest the node cannot read or write it",
    ),
    "port-in-clear": Kind(
        _W,
        "the node's port is open beyond loopback, and does not speak TLS",
        "let the node listen at 127.0.0.1 behind the proxy, or give it `tls_certificate` and `tls_key`",
    ),
    "port-open-elsewhere": Kind(
        _E,
        "something listens beyond loopback on the node's port, though the settings say loopback",
        "restart the node; else find the program that listens there, and stop it",
    ),
    "port-taken": Kind(
        _E,
        "another program listens on the node's port",
        "stop it, or give the node another `port`",
    ),
    "not-running": Kind(_N, "no node runs on this home", "`hashpact serve` starts it"),
    "jobs-late": Kind(
        _E,
        "a node runs, and its jobs do not",
        "see `hashpact status` and the node's log; restart it",
    ),
    "job-failing": Kind(_W, "the last run of a job failed", "see the job in `hashpact status`"),
    "alarm-open": Kind(_W, "an alarm is open", "see `hashpact alarms list`"),
    "backup-unknown": Kind(
        _N,
        "no node knows when its last backup was made, or whether it could be restored",
        "see to it that one is made daily, kept elsewhere, and tried: `hashpact backup FILE --check`",
    ),
    "database-needed": Kind(
        _N,
        "something was not looked at, because the database cannot be used",
        "mend the database first, and ask again",
    ),
    "check-failed": Kind(
        _E,
        "something could not be looked at to its end",
        "mend what it says, and ask again",
    ),
}
"""Every kind of finding by its code."""


def diagnosis(
    code: str,
    what: str | None = None,
    *,
    where: str | None = None,
    mend: str | None = None,
    level: Level | None = None,
) -> Diagnosis:
    """A finding of a kind; what is not given is as its kind says."""
    kind = KINDS[code]
    return Diagnosis(level or kind.level, code, what or kind.what, where, mend or kind.mend)


def well(what: str, where: str | None = None) -> Diagnosis:
    """Say that something is as it should be."""
    return Diagnosis(Level.OK, "ok", what, where)


def failed(error: HashpactError | OSError) -> Diagnosis:
    """Say that a look did not come to its end."""
    if isinstance(error, HashpactError):
        return diagnosis("check-failed", error.what, where=error.where, mend=error.mend)
    where = None if error.filename is None else str(error.filename)
    return diagnosis("check-failed", error.strerror or str(error), where=where)
