"""What ``hashpact demo`` asks of running nodes, by HTTP, and how it reads their answers."""

from __future__ import annotations

from typing import Any

from hashpact_node.cli.demo_nodes import DemoNode
from hashpact_node.cli.demo_pictures import Picture

PULL_JOB = "pull/"

Verdict = tuple[str, str, tuple[str, ...]]
"""An action, the rule that gave it, and the publishers."""


def held(node: DemoNode) -> dict[str, int]:
    """How many entries a node holds of each member's log, merged."""
    return {log["member"]: log["held"] for log in node.get("/v1/status")["logs"]}


def pulls(node: DemoNode) -> dict[str, str | None]:
    """How the schedule's last pull of each peer ended, by peer."""
    jobs = node.get("/v1/status")["jobs"]
    return {job["name"].removeprefix(PULL_JOB): job["last_result"] for job in jobs if job["name"].startswith(PULL_JOB)}


def digest(node: DemoNode) -> str:
    """Give the digest of what a node has merged."""
    return str(node.get("/v1/blocklist/digest")["digest"])


def verdicts(node: DemoNode, picture: Picture) -> list[Verdict | None]:
    """What a node says of a picture's SHA-256 and of its PDQ where exactly they are listed; None where not."""
    return [_verdict(result) for result in match(node, ("sha256", picture.sha256), ("pdq", picture.pdq))]


def is_listed(node: DemoNode, picture: Picture) -> bool:
    """Whether a node would do anything about a picture."""
    return any(verdicts(node, picture))


def match(node: DemoNode, *signals: tuple[str, str]) -> list[dict[str, Any]]:
    """Look signals up, given as (type, value)."""
    asked = [{"type": kind, "value": value} for kind, value in signals]
    results: list[dict[str, Any]] = node.post("/v1/match", {"signals": asked})["results"]
    return results


def value_of(answer: dict[str, Any], kind: str) -> str:
    """Give a hash of a file that was matched."""
    return next(str(signal["value"]) for signal in answer["signals"] if signal["type"] == kind)


def distances(answer: dict[str, Any], kind: str) -> dict[str, int]:
    """Give the listed values that a file met by one of its hashes, each with its distance in bits."""
    return {hit["value"]: hit["distance"] for hit in _hits(answer, kind)}


def met(answer: dict[str, Any], kind: str) -> str:
    """Say how a file met the blocklist by one of its hashes."""
    found = sorted(distances(answer, kind).values())
    if not found:
        return "no match"
    return "equal" if found[0] == 0 else f"{found[0]} bits away"


def publishers(answer: dict[str, Any]) -> str:
    """Give those who list what a file met."""
    return ", ".join(
        sorted({one for kind in ("sha256", "pdq") for hit in _hits(answer, kind) for one in hit["publishers"]})
    )


def _hits(answer: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [hit for result in answer["results"] if result["type"] == kind for hit in result["hits"]]


def _verdict(result: dict[str, Any]) -> Verdict | None:
    hit = next((hit for hit in result["hits"] if hit["value"] == result["value"]), None)
    return None if hit is None else (hit["action"], hit["rule"], tuple(hit["publishers"]))
