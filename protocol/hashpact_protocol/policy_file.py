"""Read ``policy.toml``, and write the JSON Schema of its form (docs/policy.md).

Each table of the file is one entry of ``_TABLES``: its form reads it, and says its part of the schema. What is not
named there is refused, so that a misspelt condition never silently asks for nothing.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from functools import partial
from typing import Any, Final

from hashpact_protocol import policy_fields as forms
from hashpact_protocol.errors import ConfigurationError
from hashpact_protocol.incidents import IncidentRules
from hashpact_protocol.judging import RESERVED_RULES
from hashpact_protocol.policy import ACTION_OF_WORD
from hashpact_protocol.policy_checks import contradiction
from hashpact_protocol.policy_fields import Form, Path, PolicyFault
from hashpact_protocol.policy_form import (
    LISTING_FLOOD,
    MATCH_FLOOD,
    Conditions,
    Disputed,
    Flood,
    FloodTerms,
    Overdue,
    PeerTerms,
    Policy,
    Rule,
    Scope,
)
from hashpact_protocol.policy_lines import line_of
from hashpact_protocol.recommendations import (
    RECOMMENDATIONS_MAX,
    SURFACES,
    TEXT_MAX_CHARACTERS,
    Recommendation,
    read_recommendations,
)

VERSION: Final = 1
"""The version of the form, which a file may state."""

FILE_NAME: Final = "policy.toml"
FILE_MAX_CHARACTERS: Final = 1_048_576
RULES_MAX: Final = 1_000
MEMBERS_MAX: Final = 10_000
DAYS_MAX: Final = 36_500
FLOOD_DAYS_MAX: Final = 366
FLOOD_MAX: Final = 1_000_000_000
"""The most that a flood's limits may be."""

LOG_KINDS: Final = ("listings", "crisis")
_RULE_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_DISTANCE_MAX: Final = 10_000


def read_policy(text: str, *, where: str = FILE_NAME) -> Policy:
    """Read a policy out of the text of its file.

    Raises ConfigurationError, with the line, the field and how to mend it, if the text is no TOML, a field is unknown
    or has not its form, or two rules with the same conditions say different things. ``where`` names the file.
    """
    try:
        return _read(text, where)
    except PolicyFault as fault:
        raise ConfigurationError(fault.what, where=_place(text, fault.path, where), mend=fault.mend) from None


def _read(text: str, where: str) -> Policy:
    if len(text) > FILE_MAX_CHARACTERS:
        raise PolicyFault((), f"the file is longer than {FILE_MAX_CHARACTERS} characters", "say it in fewer rules")
    policy: Policy = _FILE.read(_parse(text, where), ())
    clash = contradiction(policy.rules)
    if clash is not None:
        raise PolicyFault(("rule", clash.number), clash.what, clash.mend)
    return policy


def policy_schema() -> dict[str, Any]:
    """Give the JSON Schema (2020-12) of the data that a policy file holds.

    It says all that can be said of single fields. That no two rules have one name or contradict each other is
    beyond it.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "policy.toml of a Hashpact node",
        "description": "docs/policy.md says what each field means.",
        **_FILE.schema,
    }


def _parse(text: str, where: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except ValueError as error:  # beside what tomllib calls an error, numbers of thousands of digits
        raise ConfigurationError(
            f"this is no TOML: {error}", where=where, mend="see toml.io for the form, docs/policy.md for examples"
        ) from None
    except RecursionError:
        raise ConfigurationError(
            "this is nested too deeply", where=where, mend="no table needs more than 4 levels"
        ) from None


def _place(text: str, path: Path, where: str) -> str:
    """Name file, line and field: ``policy.toml, line 7, rule 2: when.labels``."""
    line = line_of(text, path)
    parts = [where] if line is None else [where, f"line {line}"]
    if path[:1] == ("rule",) and len(path) > 1:
        number, *rest = path[1:]
        field = ".".join(str(part) for part in rest)
        parts.append(f"rule {int(number) + 1}" + (f": {field}" if field else ""))
    elif path:
        parts.append(".".join(str(part) for part in path))
    return ", ".join(parts)


def _rule_name() -> Form:
    def read(value: object, path: Path) -> str:
        if not isinstance(value, str) or _RULE_NAME.fullmatch(value) is None:
            raise PolicyFault(path, f"{value!r} is no name of a rule", "use 1 to 63 of a-z, 0-9 and -")
        if value in RESERVED_RULES:
            raise PolicyFault(path, f"{value!r} is what the node itself calls a rule", "take another name")
        return value

    return Form(
        read, {"type": "string", "pattern": "^[a-z0-9][a-z0-9-]{0,62}$", "not": {"enum": sorted(RESERVED_RULES)}}
    )


def _rules(form: Form) -> Form:
    every = forms.rows(form, RULES_MAX)

    def read(value: object, path: Path) -> tuple[Rule, ...]:
        rules: tuple[Rule, ...] = every.read(value, path)
        names: set[str] = set()
        for number, rule in enumerate(rules):
            if rule.name in names:
                what = f"there is a rule {rule.name!r} above already"
                raise PolicyFault((*path, number, "name"), what, "give each rule a name of its own")
            names.add(rule.name)
        return rules

    return Form(read, every.schema)


def _recommendations() -> Form:
    def read(value: object, path: Path) -> tuple[Recommendation, ...]:
        try:
            return read_recommendations(value, where="")
        except ConfigurationError as error:
            names = [int(one) if one.isdigit() else one for one in re.findall(r"\w+", error.where or "")]
            mend = error.mend or "docs/policy.md says what may stand here"
            raise PolicyFault((*path, *names), error.what, mend) from None

    text = {"type": "string", "minLength": 1, "maxLength": TEXT_MAX_CHARACTERS}
    some = forms.table(
        {
            "text": Form(read, text),
            "surfaces": Form(read, {"type": "array", "items": {"enum": list(SURFACES)}}),
            "actions": Form(read, {"type": "array", "items": {"enum": list(ACTION_OF_WORD)}}),
            "labels": Form(read, {"type": "array", "items": {"type": "string", "pattern": r"^[^*]*\*?$"}}),
        },
        Recommendation,
        required=("text",),
    )
    return Form(read, {"type": "array", "items": some.schema, "maxItems": RECOMMENDATIONS_MAX})


def _make_policy(*, version: int = VERSION, rule: tuple[Rule, ...] = (), **tables: Any) -> Policy:
    del version
    if rule:
        tables["rules"] = rule
    if "other_peers" in tables:
        tables["others"] = tables.pop("other_peers")
    return Policy(**tables)


def _flood(usual: FloodTerms) -> Form:
    fields = {
        "hold": forms.flag(),
        "times": forms.whole(1, FLOOD_MAX),
        "at_least": forms.whole(1, FLOOD_MAX),
        "days": forms.whole(1, FLOOD_DAYS_MAX),
        "at_most": forms.at_most(),
    }
    return forms.table(fields, partial(replace, usual))


_SCOPE = forms.table(
    {
        "content": forms.texts(),
        "types": forms.texts(),
        "labels": forms.labels(),
        "logs": forms.known(LOG_KINDS),
    },
    Scope,
)
_PEER = forms.table(
    {"trust": forms.trust(), "shadow": forms.flag(), "scope": _SCOPE, "distance": forms.distances()}, PeerTerms
)
_WHEN = forms.table(
    {
        "types": forms.texts(),
        "distance_at_most": forms.whole(0, _DISTANCE_MAX),
        "distance_over": forms.whole(0, _DISTANCE_MAX),
        "members": forms.whole(1, MEMBERS_MAX),
        "publishers": forms.members(),
        "own": forms.flag(),
        "content": forms.texts(),
        "labels": forms.labels(),
        "without_labels": forms.labels(),
        "confirmed": forms.texts(),
        "origin": forms.texts(),
        "logs": forms.known(LOG_KINDS),
        "incident": forms.flag(),
        "incident_types": forms.texts(),
        "agree": forms.whole(1, MEMBERS_MAX),
        "disagree": forms.whole(1, MEMBERS_MAX),
        "reasons": forms.texts(),
        "older_than_days": forms.whole(1, DAYS_MAX),
        "newer_than_days": forms.whole(1, DAYS_MAX),
        "overdue": forms.flag(),
    },
    Conditions,
)
_RULE = forms.table(
    {"name": _rule_name(), "when": _WHEN, "then": forms.action(), "rollout": forms.percent()},
    Rule,
    required=("name", "then"),
)
_TABLES: Final = {
    "version": forms.whole(VERSION, VERSION),
    "otherwise": forms.action(),
    "distance": forms.distances(),
    "disputed": forms.table({"members": forms.whole(1, MEMBERS_MAX), "at_most": forms.at_most()}, Disputed),
    "overdue": forms.table({"at_most": forms.at_most()}, Overdue),
    "flood": forms.table(
        {"notify": forms.flag(), "listings": _flood(LISTING_FLOOD), "matches": _flood(MATCH_FLOOD)}, Flood
    ),
    "incidents": forms.table(
        {
            "members": forms.whole(1, MEMBERS_MAX),
            "counting": forms.members(),
            "directory": forms.flag(),
            "undo_delay": forms.flag(),
        },
        IncidentRules,
    ),
    "other_peers": _PEER,
    "peers": forms.by_member(_PEER),
    "rule": _rules(_RULE),
    "recommendations": _recommendations(),
}
_FILE: Final = forms.table(_TABLES, _make_policy)
