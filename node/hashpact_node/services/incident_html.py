"""The report of an incident as one page of HTML that needs nothing else: no script, no font, no picture.

What members wrote is text of others; all of it is escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

_STYLE = """
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem }
table { border-collapse: collapse; margin: .5rem 0 1.5rem; width: 100% }
caption { font-weight: 600; text-align: left; padding: .3rem 0 }
th, td { border-bottom: 1px solid #8886; overflow-wrap: anywhere; padding: .3rem .6rem; text-align: left }
dt { font-weight: 600 }
dd { margin: 0 0 .5rem }
.bar { background: #3b6ea5; display: inline-block; height: .8em; margin-right: .4em; vertical-align: baseline }
"""
_BAR_REM = 12


def report_page(told: Mapping[str, Any]) -> str:
    """Give the page of a report, as ``incident_views.told_report`` tells it."""
    incident = told["incident"]
    title = incident["title"] or incident["id"]
    parts = [
        f"<h1>Incident: {escape(title)}</h1>",
        _fields(
            [
                ("Incident", incident["id"]),
                ("Type", incident["type"]),
                ("Status at " + told["member"], incident["status"]),
                ("Members it takes", incident["needed"]),
                ("Report made", told["made_at"]),
                ("Listings", f"{told['listings']}, of which {told['live']} stand"),
                ("Listings after the end", told["after_the_end"]),
                ("Distinct signals", told["signals"]),
            ]
        ),
        _table(
            "When its status changed here (our clock)",
            ("when", "it became", "by the word of"),
            ((one["at"], one["status"], one["member"]) for one in incident["turns"]),
        ),
        _table(
            "All that members said, in the order in which it was merged here",
            ("merged here", "member", "said", "by its clock", "title", "note"),
            (
                (one["merged_at"], one["member"], one["status"], one["time"], one["title"], one["note"])
                for one in told["steps"]
            ),
        ),
        _times(incident["members"]),
        f"<p>{escape(incident['clocks'])}.</p>",
        _effects(told["effects"]),
        _actions(told["actions"]),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def _times(members: Iterable[Mapping[str, Any]]) -> str:
    columns = ("publisher", "listings", "measured", "p50", "p95", "longest", "our clock ahead", "not measured")
    rows = []
    for one in members:
        spread = one["to_matchable_seconds"] or {}
        rows.append(
            (
                one["member"],
                one["listings"],
                spread.get("count", 0),
                *(spread.get(name) for name in ("p50", "p95", "longest")),
                one["clock_ahead_seconds"],
                one["earlier"] + one["unmeasured"],
            )
        )
    return _table("From published to matchable here, in seconds", columns, rows)


def _effects(effects: Iterable[Mapping[str, Any]]) -> str:
    rows = []
    for one in effects:
        spread = one["to_blocking_at_most_seconds"] or {}
        actions = ", ".join(f"{number} {word}" for word, number in sorted(one["actions"].items()))
        rows.append(
            (one["member"], actions, one["blocking"], *(spread.get(name) for name in ("p50", "p95", "longest")))
        )
    columns = ("publisher", "signals by action", "listings that block", "at most p50", "at most p95", "at most")
    return _table("What the listings do here now, and after how many seconds they blocked at the latest", columns, rows)


def _actions(actions: Mapping[str, int]) -> str:
    """Draw the signals by action as bars."""
    most = max(actions.values(), default=0)
    rows = "".join(
        f'<tr><th scope="row">{escape(word)}</th><td><span class="bar" style="width:{number * _BAR_REM / most:.2f}rem">'
        f"</span>{number}</td></tr>"
        for word, number in sorted(actions.items())
    )
    return f"<table><caption>Signals by action</caption><tbody>{rows}</tbody></table>" if rows else ""


def _table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    body = "".join("<tr>" + "".join(f"<td>{_shown(value)}</td>" for value in row) + "</tr>" for row in rows)
    if not body:
        return ""
    head = "".join(f'<th scope="col">{escape(one)}</th>' for one in columns)
    caption = escape(caption)
    return f"<table><caption>{caption}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _fields(fields: Iterable[tuple[str, object]]) -> str:
    shown = (f"<dt>{escape(name)}</dt><dd>{_shown(value)}</dd>" for name, value in fields)
    return f"<dl>{''.join(shown)}</dl>"


def _shown(value: object) -> str:
    return "-" if value is None else escape(str(value))
