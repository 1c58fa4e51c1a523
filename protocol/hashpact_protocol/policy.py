"""From claims to an action: the default rule (docs/protocol.md, Actions).

One member's word puts a signal to review; the agreement of two, or the company's own listing, to block. Claims that
have expired, or whose quality is too low to be matched, do not count towards an action; they remain claims.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Action(IntEnum):
    """What is recommended to be done with content that matches; the values are bits, so that sets of them are masks."""

    NONE = 0
    BLOCK = 1
    REVIEW = 2
    OBSERVE = 4
    IGNORE = 8

    @property
    def word(self) -> str:
        """The action as API, feed and command line write it."""
        return self.name.lower()


ACTION_OF_WORD = {action.word: action for action in Action if action is not Action.NONE}


@dataclass(frozen=True, slots=True)
class Decision:
    """An action and the rule that gave it."""

    action: Action
    rule: str


NOT_CLAIMED = Decision(Action.NONE, "not-claimed")
NONE_COUNTS = Decision(Action.IGNORE, "expired-or-low-quality")
OWN_LISTING = Decision(Action.BLOCK, "own-listing")
MEMBERS_AGREE = Decision(Action.BLOCK, "members-agree")
ONE_MEMBER = Decision(Action.REVIEW, "one-member")

DECISIONS = (NOT_CLAIMED, NONE_COUNTS, OWN_LISTING, MEMBERS_AGREE, ONE_MEMBER)


def decide(*, own: bool, members: int, claimed: bool) -> Decision:
    """Give the default action of one signal.

    ``own`` says whether this company itself lists it, ``members`` how many distinct members do (itself included), both
    counting only claims that count; ``claimed`` whether there are any claims at all.
    """
    if own:
        return OWN_LISTING
    if members >= 2:  # noqa: PLR2004 - the agreement of two is the rule itself
        return MEMBERS_AGREE
    if members == 1:
        return ONE_MEMBER
    return NONE_COUNTS if claimed else NOT_CLAIMED
