from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from hashpact_node.api import (
    models,
    models_drafts,
    models_explain,
    models_keys,
    models_node,
    models_requests,
    models_webhooks,
)
from hashpact_node.app import create_app
from hashpact_node.jobs.schedule import Schedule
from hashpact_node.services import (
    audiences,
    blobs,
    blocklist,
    change_feed,
    claims_view,
    draft_views,
    explaining_history,
    explaining_reasons,
    explaining_views,
    matching,
    publishing,
    statement_of_reasons,
    status,
    status_keys,
    undoing,
    webhooks,
)
from hashpact_node.services.drafts import FIELDS
from hashpact_node.store.database import Database
from hashpact_protocol.errors import ConfigurationError
from serving import open_member, serving

ROOT = Path(__file__).parents[3]
DOCUMENT = ROOT / "docs" / "openapi.json"
PROMISED = {
    ("GET", "/trust/metadata/{file}"),
    ("GET", "/trust/targets/{file}"),
    ("GET", "/logs/{log}/checkpoint"),
    ("GET", "/logs/{log}/tile/{tile}"),
    ("GET", "/logs/{log}/blob/{sha256}"),
    ("POST", "/v1/blobs"),
    ("GET", "/mirror/{origin_hash}/checkpoint"),
    ("GET", "/mirror/{origin_hash}/tile/{tile}"),
    ("POST", "/witness/add-checkpoint"),
    ("GET", "/witness/{origin}/checkpoint"),
    ("POST", "/v1/listings"),
    ("GET", "/v1/listings/{listing}"),
    ("POST", "/v1/listings/{listing}/withdraw"),
    ("PUT", "/v1/listings/{listing}/audiences"),
    ("GET", "/v1/audiences"),
    ("DELETE", "/v1/listings/{listing}"),
    ("GET", "/v1/incidents"),
    ("POST", "/v1/incidents"),
    ("GET", "/v1/incidents/{incident}"),
    ("POST", "/v1/incidents/{incident}"),
    ("GET", "/v1/incidents/{incident}/report"),
    ("GET", "/v1/decisions"),
    ("POST", "/v1/decisions"),
    ("GET", "/v1/decisions/{decision}"),
    ("DELETE", "/v1/decisions/{decision}"),
    ("GET", "/v1/holds"),
    ("GET", "/v1/holds/{hold}"),
    ("POST", "/v1/holds/{hold}/notify"),
    ("POST", "/v1/holds/{hold}/release"),
    ("POST", "/v1/opinions"),
    ("GET", "/v1/opinions"),
    ("GET", "/v1/disputes"),
    ("POST", "/v1/disputes/{dispute}/keep"),
    ("GET", "/v1/drafts"),
    ("GET", "/v1/drafts/{draft}"),
    ("POST", "/v1/drafts/{draft}/approve"),
    ("POST", "/v1/drafts/{draft}/reject"),
    ("POST", "/v1/match"),
    ("POST", "/v1/match/file"),
    ("POST", "/v1/outcomes"),
    ("GET", "/v1/outcomes"),
    ("GET", "/v1/blocklist"),
    ("GET", "/v1/blocklist/changes"),
    ("GET", "/v1/blocklist/digest"),
    ("GET", "/v1/explain"),
    ("GET", "/v1/webhooks"),
    ("POST", "/v1/webhooks"),
    ("GET", "/v1/webhooks/{webhook}"),
    ("POST", "/v1/webhooks/{webhook}/test"),
    ("POST", "/v1/webhooks/{webhook}/replay"),
    ("DELETE", "/v1/webhooks/{webhook}"),
    ("GET", "/v1/peers"),
    ("POST", "/v1/peers"),
    ("POST", "/v1/peers/preview"),
    ("POST", "/v1/peers/{member}/suspend"),
    ("GET", "/v1/peers/{member}"),
    ("GET", "/v1/peers/{member}/quarantine"),
    ("DELETE", "/v1/peers/{member}"),
    ("POST", "/v1/peers/{member}/pull"),
    ("POST", "/v1/peers/{member}/pause"),
    ("POST", "/v1/peers/{member}/resume"),
    ("GET", "/v1/evidence"),
    ("GET", "/v1/evidence/{number}"),
    ("GET", "/witness/cards"),
    ("GET", "/witness/cards/{member}/{version}"),
    ("GET", "/witness/cards/{member}/{version}/card"),
    ("GET", "/witness/cards/{member}/roots/{version}"),
    ("GET", "/v1/report"),
    ("GET", "/v1/status"),
    ("GET", "/v1/audit"),
    ("GET", "/v1/keys"),
    ("GET", "/metrics"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return create_app().openapi()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def test_the_committed_document_is_the_app_s_own(document: dict[str, Any]) -> None:
    told = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    assert DOCUMENT.read_text(encoding="utf-8") == told, "run: hashpact openapi > docs/openapi.json"


def test_all_that_is_promised_is_there_and_nothing_else(document: dict[str, Any]) -> None:
    assert {(method, path) for method, path, _operation in operations(document)} == PROMISED


def test_every_operation_says_what_it_does_and_how_it_fails(document: dict[str, Any]) -> None:
    tags = {tag["name"] for tag in document["tags"]}
    for method, path, operation in operations(document):
        where = f"{method} {path}"
        assert operation["summary"], where
        assert operation["description"], where
        assert set(operation["tags"]) <= tags, where
        problem = operation["responses"]["default"]["content"]
        assert problem == {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}, where
        assert all(parameter.get("description") for parameter in operation.get("parameters", [])), where
        assert all(response["description"] for response in operation["responses"].values()), where


def test_every_field_is_described(document: dict[str, Any]) -> None:
    for name, schema in document["components"]["schemas"].items():
        assert schema["description"], name
        for field, described in schema["properties"].items():
            assert described.get("description"), f"{name}.{field}"


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    known = document["components"]["schemas"]

    def walk(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            if "$ref" in value:
                yield value["$ref"]
            for one in value.values():
                yield from walk(one)
        elif isinstance(value, list):
            for one in value:
                yield from walk(one)

    found = {reference.removeprefix("#/components/schemas/") for reference in walk(document)}
    assert found <= set(known)


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        (models.Claim, claims_view.ClaimView),
        (models.Signal, claims_view.SignalView),
        (models.BlocklistPage, blocklist.BlocklistPage),
        (models.Change, change_feed.Change),
        (models.Changes, change_feed.Changes),
        (models.Hit, matching.Hit),
        (models.MatchResult, matching.MatchResult),
        (models_node.Blob, blobs.StoredBlob),
        (models_node.Published, publishing.Published),
        (models_node.Audience, audiences.AudienceView),
        (models_webhooks.Webhook, webhooks.WebhookView),
        (models_webhooks.WebhookLetter, webhooks.LetterView),
        (models_webhooks.WebhookDetail, webhooks.WebhookDetail),
        (models_explain.Explanation, explaining_views.Explanation),
        (models_explain.ExplainedSignal, explaining_views.ExplainedSignal),
        (models_explain.Said, explaining_views.Said),
        (models_explain.Thought, explaining_views.Thought),
        (models_explain.Became, explaining_views.Became),
        (models_explain.Decided, explaining_views.Decided),
        (models_explain.WouldChange, explaining_reasons.WouldChange),
        (models_explain.Event, explaining_history.Event),
        (models_explain.StatementOfReasons, statement_of_reasons.StatementOfReasons),
        (models_drafts.Somebody, draft_views.Somebody),
        (models_drafts.Draft, draft_views.DraftView),
        (models_drafts.DraftDetail, draft_views.DraftDetail),
        (models_drafts.Undone, undoing.Undone),
        (models_node.Log, status.LogStatus),
        (models_node.PeerState, status.PeerStatus),
        (models_node.Alarm, status.AlarmStatus),
        (models_node.Job, status.JobStatus),
        (models_keys.KeyRow, status_keys.KeyStatus),
        (models_keys.KeyFinding, status_keys.KeyFinding),
        (models_node.Status, status.NodeStatus),
    ],
)
def test_models_have_the_fields_of_what_they_document(model: type[models.Model], kind: type) -> None:
    assert is_dataclass(kind)
    assert set(model.model_fields) == {field.name for field in fields(kind)}


def test_a_new_listing_has_the_fields_of_a_draft() -> None:
    assert set(models_requests.NewListing.model_fields) == set(FIELDS)


@pytest.mark.parametrize("name", ["NewListing", "NewSignal"])
def test_what_is_refused_as_null_is_not_described_as_null(document: dict[str, Any], name: str) -> None:
    """These are read by msgspec, which wants what does not apply left out."""
    for field in document["components"]["schemas"][name]["properties"].values():
        assert "anyOf" not in field
        assert field["type"] != "null"
        assert field.get("default", "") is not None


def test_who_may_ask_and_how_others_are_refused_is_said(document: dict[str, Any]) -> None:
    schemes = document["components"]["securitySchemes"]
    for path, methods in document["paths"].items():
        for operation in methods.values():
            asked = [name for way in operation.get("security", []) for name in way]
            assert set(asked) <= schemes.keys()
            if path.startswith(("/logs", "/witness", "/mirror")):
                assert asked == ["member"], path
                assert {"401", "429"} <= operation["responses"].keys()
            elif path.startswith(("/v1", "/metrics")):
                assert asked == ["token"], path
                assert {"401", "403", "429"} <= operation["responses"].keys()


def ask(app: Any, path: str) -> httpx.Response:
    async def run() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as client:
            return await client.get(path)

    return asyncio.run(run())


def test_without_a_node_there_is_its_description_and_no_more() -> None:
    app = create_app()
    assert ask(app, "/openapi.json").json()["info"]["title"] == "Hashpact"
    answer = ask(app, "/v1/peers")
    assert (answer.status_code, answer.json()["code"]) == (500, "configuration-invalid")
    assert ask(app, "/logs/listings-1/checkpoint").json()["code"] == "configuration-invalid"
    assert ask(app, "/healthz").status_code == 200

    async def start() -> None:
        async with app.router.lifespan_context(app):
            pass

    with pytest.raises(ConfigurationError):
        asyncio.run(start())


def test_the_description_is_made_once() -> None:
    app = create_app()
    assert app.openapi() is app.openapi()


def test_no_page_of_others_is_loaded() -> None:
    app = create_app()
    assert [ask(app, path).status_code for path in ("/docs", "/redoc")] == [404, 404]


def test_the_schedule_runs_between_startup_and_shutdown(
    sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    monkeypatch.setattr(Schedule, "start", lambda _self: seen.append("start"))
    monkeypatch.setattr(Schedule, "stop", lambda _self: seen.append("stop"))
    node = open_member(sqlite_database, tmp_path / "home", sqlite_database.where)
    try:
        with serving(node, schedule=True) as served:
            assert served.get("/healthz").status_code == 200
            assert seen == ["start"]
    finally:
        node.close()
    assert seen == ["start", "stop"]
