"""Which scope each route wants, by its operation id; docs/api.md, Tokens, shows this table.

There is no route without an entry: ``create_app`` fails for one. So whoever adds a route says who may use it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from hashpact_node.api.member_door import is_members_only
from hashpact_node.api.problems import MEDIA_TYPE
from hashpact_node.services.tokens import TokenScope
from hashpact_protocol.errors import ConfigurationError


class Gate(StrEnum):
    """Who may pass where no scope says it."""

    PUBLIC = "public"
    """Everybody."""

    MEMBER = "member"
    """Members of the consortium, by the signature of their request; no token."""

    READY = "public, and more with a token"
    """Everybody; details go to whoever has a valid token, and a wrong one is refused as everywhere."""

    HOLDER = "any token"
    """Whoever has a valid token, whatever its scopes."""


Need = TokenScope | Gate

SCOPES: Final[Mapping[str, Need]] = {
    "match": TokenScope.MATCH,
    "match_file": TokenScope.MATCH,
    "add_outcomes": TokenScope.MATCH,
    "show_outcomes": TokenScope.REVIEW,
    "list_blocklist": TokenScope.READ,
    "list_changes": TokenScope.READ,
    "digest": TokenScope.READ,
    "explain": TokenScope.REVIEW,
    "publish_listings": TokenScope.PUBLISH,
    "show_listing": TokenScope.PUBLISH,
    "withdraw_listing": TokenScope.PUBLISH,
    "undo_listing": TokenScope.PUBLISH,
    "list_decisions": TokenScope.REVIEW,
    "decide": TokenScope.REVIEW,
    "show_decision": TokenScope.REVIEW,
    "undo_decision": TokenScope.REVIEW,
    "list_holds": TokenScope.REVIEW,
    "show_hold": TokenScope.REVIEW,
    "notify_hold": TokenScope.PUBLISH,
    "release_hold": TokenScope.REVIEW,
    "opine": TokenScope.PUBLISH,
    "list_opinions": TokenScope.READ,
    "list_disputes": TokenScope.REVIEW,
    "keep_disputed": TokenScope.REVIEW,
    "list_drafts": TokenScope.REVIEW,
    "show_draft": TokenScope.REVIEW,
    "approve_draft": TokenScope.REVIEW,
    "reject_draft": TokenScope.REVIEW,
    "move_listing": TokenScope.PUBLISH,
    "list_audiences": TokenScope.PUBLISH,
    "propose_incident": TokenScope.PUBLISH,
    "say_incident": TokenScope.PUBLISH,
    "list_incidents": TokenScope.READ,
    "show_incident": TokenScope.READ,
    "report_incident": TokenScope.AUDIT,
    "put_blob": TokenScope.PUBLISH,
    "add_webhook": TokenScope.ADMIN,
    "test_webhook": TokenScope.OPERATE,
    "replay_webhook": TokenScope.OPERATE,
    "remove_webhook": TokenScope.OPERATE,
    "list_webhooks": TokenScope.AUDIT,
    "show_webhook": TokenScope.AUDIT,
    "add_peer": TokenScope.OPERATE,
    "preview_peer": TokenScope.OPERATE,
    "remove_peer": TokenScope.OPERATE,
    "pull_peer": TokenScope.OPERATE,
    "pause_peer": TokenScope.OPERATE,
    "suspend_peer": TokenScope.OPERATE,
    "resume_peer": TokenScope.OPERATE,
    "list_peers": TokenScope.AUDIT,
    "show_peer": TokenScope.AUDIT,
    "list_quarantine": TokenScope.AUDIT,
    "list_evidence": TokenScope.AUDIT,
    "evidence": TokenScope.AUDIT,
    "report": TokenScope.AUDIT,
    "status": TokenScope.AUDIT,
    "keys": TokenScope.AUDIT,
    "list_audit": TokenScope.AUDIT,
    "metrics": TokenScope.AUDIT,
    "openapi": Gate.HOLDER,
    "healthz": Gate.PUBLIC,
    "readyz": Gate.READY,
    "trust_metadata": Gate.PUBLIC,
    "trust_target": Gate.PUBLIC,
    "log_checkpoint": Gate.MEMBER,
    "log_tile": Gate.MEMBER,
    "log_blob": Gate.MEMBER,
    "mirror_checkpoint": Gate.MEMBER,
    "mirror_tile": Gate.MEMBER,
    "witness_add_checkpoint": Gate.MEMBER,
    "witness_checkpoint": Gate.MEMBER,
    "witness_cards": Gate.MEMBER,
    "witness_card": Gate.MEMBER,
    "witness_card_itself": Gate.MEMBER,
    "witness_root": Gate.MEMBER,
}

TOKENLESS: Final = frozenset({Gate.PUBLIC, Gate.MEMBER})
"""Gates at which no token is looked at."""


_SCHEME: Final = "token"
_MEMBER_SCHEME: Final = "member"

_TOKEN_REFUSALS: Final = {
    "401": "No valid token.",
    "403": "The token may not do that; or it comes from another site's page, or for a Host that is not this node's.",
    "429": "The token asks too often; or many requests without a valid one came from this address.",
}
_MEMBER_REFUSALS: Final = {
    "401": "Not signed by a member that this node follows; or the log is for others alone, or there is none.",
    "429": "The member asks too often.",
}
_PROBLEM: Final = {"content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}


@dataclass(frozen=True, slots=True)
class Entry:
    """One route: what it is called, its path as it is documented and as it is matched, its methods, what it wants."""

    operation: str
    path: str
    pattern: re.Pattern[str]
    methods: frozenset[str]
    need: Need


class Gates:
    """Says what each request wants, by the routes of an application; what is none of its routes wants a token."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.entries = tuple(entries)
        self._behind: dict[str, list[Entry]] = {}
        for entry in self.entries:
            self._behind.setdefault(_first_part(entry.path), []).append(entry)
        self._open = frozenset(
            part for part, behind in self._behind.items() if all(entry.need in TOKENLESS for entry in behind)
        )

    def need(self, method: str, path: str) -> Need | None:
        """Give what a request wants; None where there is no such route. Routes are tried in the application's order.

        Below a first part of a path where no route wants a token, such as ``/logs``, nothing does.
        """
        part = _first_part(path)
        if part in self._open:
            return Gate.PUBLIC
        return next((entry.need for entry in self._at(part, path) if method in entry.methods), None)

    def methods(self, path: str) -> list[str]:
        """List the methods that a path knows."""
        return sorted({method for entry in self._at(_first_part(path), path) for method in entry.methods})

    def _at(self, part: str, path: str) -> Iterable[Entry]:
        return (entry for entry in self._behind.get(part, ()) if entry.pattern.match(path))


def gates_of(app: FastAPI) -> Gates:
    """Give the gates of an application; ConfigurationError for a route that has no entry here."""
    return Gates(_entry(context) for context in iter_route_contexts(app.routes))


def add_security(document: dict[str, Any]) -> None:
    """Say in an OpenAPI document which operation wants a token, and of which scope, or a member's signature."""
    for methods in document["paths"].values():
        for operation in methods.values():
            need = SCOPES[operation["operationId"]]
            if isinstance(need, TokenScope):
                operation["security"] = [{_SCHEME: [need.value]}]
                _add_refusals(operation, _TOKEN_REFUSALS)
            elif need is Gate.READY:
                operation["security"] = [{}, {_SCHEME: []}]
            elif need is Gate.MEMBER:
                operation["security"] = [{_MEMBER_SCHEME: []}]
                _add_refusals(operation, _MEMBER_REFUSALS)
    document["components"]["securitySchemes"] = {
        _SCHEME: {
            "type": "http",
            "scheme": "bearer",
            "description": "A token that `hashpact init` (the first one) or `hashpact token create` showed; "
            "one of the scope `admin` opens everything.",
        },
        _MEMBER_SCHEME: {
            "type": "http",
            "scheme": "signature",
            "description": "A request signed by a member that this node follows, with a request key of its card, as "
            "RFC 9421 and docs/protocol.md, Requests, have it: the header fields `Signature-Input`, `Signature` and, "
            "with a body, `Content-Digest`. No token opens these.",
        },
    }


def _add_refusals(operation: dict[str, Any], refusals: Mapping[str, str]) -> None:
    for status, description in refusals.items():
        told = {"description": description, **_PROBLEM}
        operation["responses"].setdefault(status, told)


def _entry(context: Any) -> Entry:
    path = context.path or ""
    operation = getattr(context, "operation_id", None) or context.name or ""
    need = SCOPES.get(operation)
    if need is None:
        raise ConfigurationError(
            f"nobody has said who may use the route {path}", where=operation, mend="add it to hashpact_node.api.scopes"
        )
    if need is Gate.MEMBER and not is_members_only(path):
        raise ConfigurationError("the door for members does not stand before this route", where=path)
    if not context.methods or "{" in _first_part(path):
        raise ConfigurationError("this is no route that a scope can be said for", where=path)
    return Entry(operation, path, context.path_regex, frozenset(context.methods) - {"HEAD"}, need)


def _first_part(path: str) -> str:
    return path.removeprefix("/").partition("/")[0]
