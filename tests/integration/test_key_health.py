"""A node that cannot renew what it should is loud: in its log, in its status, in its metrics; and quiet when it can."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from hashpact_node import clock
from nodes import TestNode, make_node, running, wait_until

CODE = "own-trust-not-renewed"


def alarms(node: TestNode) -> set[str]:
    return {alarm["code"] for alarm in node.get("/v1/status").json()["alarms"]}


def findings(node: TestNode) -> set[tuple[str, str | None]]:
    return {(one["code"], one["row"]) for one in node.get("/v1/status").json()["key_findings"]}


def metric(node: TestNode, name: str, **labels: str) -> float | None:
    families = text_string_to_metric_families(node.get("/metrics").text)
    samples = [one for family in families for one in family.samples if one.name == f"hashpact_{name}"]
    return next((one.value for one in samples if labels.items() <= one.labels.items()), None)


def logged(node: TestNode) -> list[dict[str, Any]]:
    lines = (node.home / "serve.log").read_text().splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


def test_a_node_without_its_online_key_is_loud_until_it_has_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = clock.now() - timedelta(hours=13)
    with monkeypatch.context() as patched:
        patched.setattr("hashpact_node.clock.now", lambda: begun)
        acme = make_node(tmp_path, "acme")
    key = acme.home / "keys/online.key"
    data = key.read_bytes()
    key.unlink()
    with running(acme):
        wait_until(lambda: CODE in alarms(acme))
        # The alarm is raised by the job itself, so that it is there before it is written down how the job went.
        wait_until(lambda: metric(acme, "job_failed", job="renew-trust") == 1)
        wait_until(lambda: {("renewal-fails", "online"), ("key-unreadable", "online")} <= findings(acme))
        wait_until(lambda: metric(acme, "alarms", code=CODE) == 1)
        left = metric(acme, "key_seconds_left", row="online")
        assert left is not None
        assert 0 < left < 12 * 3_600
        errors = metric(acme, "key_findings", severity="error")
        assert errors is not None
        assert errors >= 5
        told = [line for line in logged(acme) if line.get("code") == CODE]
        assert {line["level"] for line in told} == {"error"}
        assert acme.command("keys", "check", "--offline").returncode == 7
        acme.stop()
        key.write_bytes(data)
        key.chmod(0o600)
        acme.start()
        wait_until(lambda: CODE not in alarms(acme))
        wait_until(lambda: metric(acme, "job_failed", job="renew-trust") == 0)
        assert not {("renewal-fails", "online"), ("key-unreadable", "online")} & findings(acme)
        left = metric(acme, "key_seconds_left", row="online")
        assert left is not None
        assert left > 23 * 3_600
        assert {one["row"]: one["who"] for one in acme.get("/v1/keys").json()["rows"]}["root"] == "the root holders"
