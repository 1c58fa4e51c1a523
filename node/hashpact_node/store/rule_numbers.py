"""The numbers under which signals name the rules that a node has without any policy file; they never change."""

from __future__ import annotations

from typing import Final

BUILT_IN: Final = {
    "not-claimed": 1,
    "expired-or-low-quality": 2,
    "own-listing": 3,
    "members-agree": 4,
    "one-member": 5,
    "nothing-in-scope": 6,
    "otherwise": 7,
    "confirmed-here": 8,
    "rejected-here": 9,
    "allowed-here": 10,
    "disabled-here": 11,
    "disputed": 12,
    "overdue": 13,
    "shadow": 14,
    "limited-trust": 15,
    "flood-hold": 16,
}
UNKNOWN: Final = 0
"""The rule of a signal that was judged before rules were kept: what the default rule says of its claims."""

FIRST_OWN: Final = 100
LAST_OWN: Final = 32_767
