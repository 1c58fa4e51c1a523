"""What the cases of trust repositories share."""

from __future__ import annotations

from collections.abc import Callable

from hashpact_conformance.simulator.member import Member
from hashpact_conformance.simulator.replies import Alter, html, manner, says, status
from hashpact_conformance.simulator.statements import listing
from hashpact_conformance.simulator.trust import Edit
from hashpact_conformance.simulator.world import World

READING = "Trust: reading"
NEW = 900
"""The listing that is taken only if a new card is."""

Attack = Callable[[Member], None]


def with_news(member: Member) -> None:
    """Let the next card name one more log, and list something there."""
    log = member.add_log("crisis-1", name="crisis", kind="crisis")
    log.append(listing(NEW))


def refuses(world: World, attack: Attack, *, root: bool = False) -> None:
    """See that a card is not taken, and that a right one of the same member is; ``root``: its newest root is wrong."""
    member = world.subject
    with_news(member)
    attack(member)
    world.refused()
    assert not world.claims(NEW), "a card was taken that must be refused"
    if root:
        member.trust.forget_root()
    member.publish()
    world.recovers(NEW)


def publishing(role: str, edit: Edit) -> Attack:
    """Publish a new card with one file falsified."""
    return lambda member: member.publish_with(role, edit)


NO_ANSWERS: dict[str, Alter] = {
    "401": status(401),
    "403": status(403),
    "410": status(410),
    "429": status(429),
    "500": status(500),
    "503": status(503),
    "204": status(204),
    "redirect": status(302, Location="https://login.example/"),
    "login-page": html,
    "empty": says(b""),
    "null": says(b"null"),
    "cut": manner("cut"),
}
"""What a server may answer in place of a file."""
