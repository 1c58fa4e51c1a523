"""The web application of a node: its routes, its schedule while it runs, and its description."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.concurrency import run_in_threadpool

from hashpact_node.api import (
    audiences,
    audit,
    blobs,
    blocklist,
    drafts,
    evidence,
    explain,
    health,
    holds,
    incidents,
    judging,
    keys,
    listings,
    logs,
    match,
    metrics,
    mirror,
    outcomes,
    peers,
    report,
    status,
    trust,
    webhooks,
    witness,
    witness_cards,
)
from hashpact_node.api.audited import Audited, Reached
from hashpact_node.api.forwarded import Forwarded
from hashpact_node.api.front import BelowPath, BodyCap, Guard, HeadAsGet, host_of
from hashpact_node.api.lanes import Lanes
from hashpact_node.api.member_door import MemberDoor
from hashpact_node.api.models_explain import StatementOfReasons
from hashpact_node.api.models_outcomes import NewOutcomes
from hashpact_node.api.models_requests import MatchRequest, NewListing
from hashpact_node.api.models_webhooks import WebhookMessage
from hashpact_node.api.problems import Problem, Shield, add_handlers
from hashpact_node.api.read_ahead import ReadAhead
from hashpact_node.api.safe_headers import SafeHeaders
from hashpact_node.api.schemas import add_schemas
from hashpact_node.api.scopes import add_security, gates_of
from hashpact_node.api.token_door import TokenDoor
from hashpact_node.assembly import Node
from hashpact_node.jobs.schedule import Schedule
from hashpact_node.jobs.waking import Waking
from hashpact_node.services.failed_entries import FailedEntries
from hashpact_node.services.status import StatusReader
from hashpact_protocol.errors import ConfigurationError
from hashpact_protocol.names import MemberUrl

DESCRIPTION: Final = """\
A node of Hashpact: a company's own list of hashes of confirmed terrorist content, its peers' lists, verified, and the
blocklist that follows from them.

`/trust`, `/logs`, `/witness` and `/mirror` are what other members read (docs/protocol.md), all but the first by signed
requests. `/v1` is for the company's own systems, by tokens.
Everything that goes wrong is a problem of RFC 9457.
"""

TAGS: Final = (
    ("match", "Ask whether content is listed."),
    ("blocklist", "Read the blocklist, and follow its changes."),
    ("webhooks", "Tell systems of this company of changes of the blocklist."),
    ("listings", "Publish listings, and take them back."),
    ("judgement", "Decide about what is listed, tell owners what is thought of it, and answer their disputes."),
    ("drafts", "Approve or reject what others propose to publish."),
    ("incidents", "Crises that members propose, activate and conclude together."),
    ("peers", "Whom this node follows."),
    ("status", "How this node is doing."),
    ("audit", "Who did what."),
    ("health", "For process supervisors and load balancers."),
    ("trust", "The member's trust repository, a TUF repository."),
    ("logs", "The member's logs, as C2SP tlog-tiles has them."),
    ("mirror", "Whatever logs this node holds, for whoever lost theirs, as C2SP tlog-mirror lays them out."),
    ("witness", "This node as a witness, as C2SP tlog-witness has it."),
)

# The busiest first: routes are tried one after another.
ROUTERS: Final = (
    logs.router,
    witness.router,
    match.plain,
    match.router,
    outcomes.router,
    blocklist.router,
    explain.router,
    trust.router,
    mirror.router,
    listings.router,
    audiences.router,
    judging.router,
    holds.router,
    drafts.router,
    incidents.router,
    blobs.router,
    webhooks.router,
    peers.router,
    evidence.router,
    witness_cards.router,
    status.router,
    report.router,
    audit.router,
    keys.router,
    metrics.router,
    health.router,
)


def create_app(node: Node | None = None, *, schedule: bool = True) -> FastAPI:
    """Make the application of a node, which runs the schedule between startup and shutdown unless told not to.

    Without a node it can describe itself, and nothing else: its startup raises ConfigurationError. The caller closes
    the node after the application. Raises ConfigurationError for a route that ``api/scopes.py`` says nothing about.
    """
    app = FastAPI(
        title="Hashpact",
        summary="Share signed hashes of confirmed terrorist content, without a hub.",
        description=DESCRIPTION,
        version=version("hashpact"),
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        openapi_tags=[{"name": name, "description": text} for name, text in TAGS],
        redirect_slashes=False,
        docs_url=None,  # the pages that FastAPI has load their scripts from other people's servers
        redoc_url=None,
        lifespan=_lifespan(node, schedule=schedule),
    )
    app.state.node = node
    app.state.lanes = Lanes()
    app.state.witness_clients = witness.client_budgets()
    if node is not None:
        app.state.failed_entries = FailedEntries(node.audit)
        app.state.read_ahead = ReadAhead(node.database)
        app.state.status_reader = StatusReader(node.database, node.settings, node.upkeep.now)
    add_handlers(app)
    for router in ROUTERS:
        app.include_router(router)
    _add_front(app, node)
    app.openapi = _describer(app)  # type: ignore[method-assign]  # FastAPI's documented way to extend it
    return app


def _add_front(app: FastAPI, node: Node | None) -> None:
    """Add what every request passes; what is added last is outermost."""
    url = None if node is None or node.settings.url is None else MemberUrl.parse(node.settings.url)
    authority, slash, path = ("", "", "") if url is None else url.prefix.partition("/")
    app.add_middleware(Reached)
    app.add_middleware(BodyCap)
    gates = gates_of(app)
    if node is not None:
        app.add_middleware(TokenDoor, gates=gates, checks=node.token_checks, lanes=app.state.lanes)
    app.add_middleware(HeadAsGet)
    if node is not None:
        app.add_middleware(MemberDoor, doorkeeper=node.doorkeeper, checks=node.token_checks, lanes=app.state.lanes)
    app.add_middleware(Guard, host=host_of(authority))
    if node is not None:  # around the doors, so that who is not let in is recorded, too
        app.add_middleware(Audited, audit=node.audit, failed=app.state.failed_entries)
        app.add_middleware(Forwarded, proxies=node.settings.trusted_proxies)
    app.add_middleware(BelowPath, path=slash + path)
    app.add_middleware(Shield)
    app.add_middleware(SafeHeaders)


def _lifespan(node: Node | None, *, schedule: bool) -> Callable[[FastAPI], Any]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if node is None:
            raise ConfigurationError("no node stands behind this API", mend="start it with `hashpact serve`")
        running = (Waking(node), Schedule(node)) if schedule else ()
        for one in running:
            one.start()
        try:
            yield
        finally:
            for one in running:
                one.halt()  # at once, even if somebody asks again and does not wait
            for one in reversed(running):
                await run_in_threadpool(one.stop)
            await run_in_threadpool(app.state.failed_entries.flush, everything=True)
            await run_in_threadpool(node.match_tally.flush)

    return lifespan


def _describer(app: FastAPI) -> Callable[[], dict[str, Any]]:
    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = get_openapi(
                title=app.title,
                version=app.version,
                summary=app.summary,
                description=app.description,
                routes=app.routes,
                tags=app.openapi_tags,
                license_info=app.license_info,
            )
            add_schemas(
                app.openapi_schema,
                (Problem, NewListing, MatchRequest, NewOutcomes, WebhookMessage, StatementOfReasons),
            )
            add_security(app.openapi_schema)
        return app.openapi_schema

    return openapi
