"""Who does something: a token's holder, another member, a person at the command line, or the node itself."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ActorKind(StrEnum):
    """How somebody came to do something."""

    TOKEN = "token"  # noqa: S105  a word, not a secret
    MEMBER = "member"
    COMMAND = "command"
    JOB = "job"


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody, by a name that says nothing secret: a token's id, a member's id, a user of this machine, a job.

    ``address`` is where the request came from, as an IP address; None for whoever is on this machine already.
    """

    kind: ActorKind
    name: str
    address: str | None = None
