"""What Regulation (EU) 2021/784 asks hosting service providers to report, and what of it this node can tell.

Article 7(2) asks for a report of each calendar year in which a provider acted against terrorist content or was required
to, published before 1 March of the next; Article 7(3) lists in points (a) to (g) what it holds at least. Source: OJ L
172, 17.5.2021, p. 79. A report of a node is no such report: it gives the counts that a node can have.
"""

from __future__ import annotations

from typing import Final

from hashpact_node.services.report_form import Figure, Maker, Section, unmeasured
from hashpact_node.store.outcomes import Counts

_ABOUT: Final = (
    "Regulation (EU) 2021/784, Article 7(2) and (3), asks hosting service providers that acted against terrorist "
    "content in a calendar year for a public report before 1 March of the next year. This part goes through the points "
    "of Article 7(3). It holds what this node was told; what it cannot know the company has to add, and the words to "
    "points (a) and (b), too."
)
_ELSEWHERE: Final = "this node knows nothing of it; whoever deals with it at the company does"
_UNSAID: Final = "nobody who matches has said what became of a match (POST /v1/outcomes)"


def regulation_section(outcomes: Counts | None, matches: Figure | None, make: Maker) -> Section:
    """Go through the points of Article 7(3) with what became of matches, and how often something matched."""
    return Section(
        "regulation-2021-784",
        "Counters of Regulation (EU) 2021/784, Article 7(3)",
        _ABOUT,
        (
            unmeasured("a", "(a) Measures to identify and remove terrorist content", "the company describes them"),
            _matches(matches),
            _told(
                "c-removed",
                "(c) Items removed, or access disabled: after a match here",
                None if outcomes is None else outcomes.removed,
                make,
            ),
            unmeasured("c-orders", "(c) Items removed after a removal order", _ELSEWHERE),
            unmeasured("c-refused", "(c) Removal orders not followed under Article 3(7) or (8), and why", _ELSEWHERE),
            _told(
                "d-complaints",
                "(d) Complaints under Article 10: about matches here",
                None if outcomes is None else outcomes.appealed,
                make,
            ),
            unmeasured("e", "(e) Administrative or judicial review that the company sought", _ELSEWHERE),
            unmeasured("f", "(f) Items put back because such review required it", _ELSEWHERE),
            _told(
                "g",
                "(g) Items put back after a complaint: of matches here",
                None if outcomes is None else outcomes.reinstated,
                make,
            ),
        ),
    )


def _matches(matches: Figure | None) -> Figure:
    title = "(b) Measures against reappearance, by automated tools: lookups here that met something"
    if matches is None:
        return unmeasured("b-matches", title, "no lookup of this period was counted")
    return Figure("b-matches", title, matches.value, note=matches.note)


def _told(identifier: str, title: str, count: int | None, make: Maker) -> Figure:
    return unmeasured(identifier, title, _UNSAID) if count is None else make.figure(identifier, title, count)
