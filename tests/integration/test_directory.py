"""Members who meet and part by the word of a directory, which any web server shows, and never against their own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from commands import picture
from nodes import TestNode, make_node, running
from secretariat import Secretariat, static_server


@dataclass
class Consortium:
    """Two nodes that follow a directory with the policy auto, and answer members only."""

    acme: TestNode
    beta: TestNode
    secretariat: Secretariat

    def follow(self, node: TestNode, code: int = 0) -> dict[str, Any]:
        """Let a node read the directory now."""
        done = node.command("directory", "follow", "--json")
        assert done.returncode == code, done.stderr
        return dict(json.loads(done.stdout))

    def listed(self) -> int:
        """Count what beta's blocklist holds."""
        counts = self.told(self.beta, "status")["blocklist"]
        return sum(counts.values())

    def told(self, node: TestNode, *words: str) -> dict[str, Any]:
        """Give what a command tells programs."""
        done = node.command(*words, "--json")
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))

    def alarms(self, node: TestNode) -> set[str]:
        """Give the codes of a node's alarms about the directory."""
        codes = {alarm["code"] for alarm in self.told(node, "status")["alarms"]}
        return {code for code in codes if code.startswith("directory-")}


@pytest.fixture(scope="module")
def consortium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consortium]:
    folder = tmp_path_factory.mktemp("consortium")
    secretariat = Secretariat(folder / "secretariat", real_time=True)
    secretariat.publish()
    with static_server(secretariat.www) as url:
        told = {
            "HASHPACT_DIRECTORY_URL": url,
            "HASHPACT_DIRECTORY_FINGERPRINT": secretariat.fingerprint,
            "HASHPACT_DIRECTORY_POLICY": "auto",
        }
        acme, beta = (make_node(folder, member, **told) for member in ("acme", "beta"))
        done = acme.command("publish", str(picture(folder / "a.png", 1)))
        assert done.returncode == 0, done.stderr
        for node in (acme, beta):
            secretariat.home.admit(node.member, node.url, node.fingerprint)
        secretariat.publish()
        with running(acme, beta):
            yield Consortium(acme, beta, secretariat)


def test_those_who_are_admitted_follow_each_other(consortium: Consortium) -> None:
    for node, other in ((consortium.acme, consortium.beta), (consortium.beta, consortium.acme)):
        # The job of the node that started may have been first.
        consortium.follow(node)
        peer = consortium.told(node, "peer", "show", other.member)
        assert (peer["state"], peer["fingerprint"], peer["decision"]["by"]) == (
            "active",
            other.fingerprint,
            "directory",
        )
    for node, member in ((consortium.beta, "acme"), (consortium.acme, "beta")):
        done = node.command("peer", "pull", member)
        assert done.returncode == 0, done.stderr
    assert consortium.listed() > 0


def test_who_is_suspended_is_gone_at_once_and_comes_back(consortium: Consortium) -> None:
    acme, beta, secretariat = consortium.acme, consortium.beta, consortium.secretariat
    secretariat.suspend("acme", "its release key was stolen")
    assert consortium.follow(beta)["suspended"] == ["acme"]
    assert consortium.listed() == 0
    refused = acme.command("peer", "pull", "beta")
    assert refused.returncode == 1, "what it asks is refused"
    assert "401" in refused.stderr
    secretariat.readmit("acme")
    assert consortium.follow(beta)["readmitted"] == ["acme"]
    assert consortium.listed() > 0
    assert acme.command("peer", "pull", "beta").returncode == 0


def test_a_persons_word_stands(consortium: Consortium) -> None:
    beta = consortium.beta
    assert beta.command("peer", "suspend", "acme", "--reason", "we wait for their word").returncode == 0
    assert consortium.follow(beta)["readmitted"] == []
    assert consortium.told(beta, "peer", "show", "acme")["state"] == "suspended"
    assert consortium.alarms(beta) == {"directory-differs"}
    assert beta.command("directory", "accept", "acme").returncode == 0
    assert (consortium.listed() > 0, consortium.alarms(beta)) == (True, set())


def test_an_old_copy_is_refused(consortium: Consortium, tmp_path: Path) -> None:
    beta, secretariat = consortium.beta, consortium.secretariat
    secretariat.suspend("acme", "theft")
    old = shutil.copytree(secretariat.www, tmp_path / "old")
    secretariat.readmit("acme")
    consortium.follow(beta)
    shutil.rmtree(secretariat.www / "trust")
    shutil.copytree(old / "trust", secretariat.www / "trust")
    assert consortium.follow(beta)["suspended"] == []
    assert consortium.told(beta, "peer", "show", "acme")["state"] == "active"
    assert consortium.alarms(beta) == {"directory-unread"}
    secretariat.publish()
    consortium.follow(beta)
    assert consortium.alarms(beta) == set()


def test_a_member_under_anothers_id_is_refused(consortium: Consortium, tmp_path: Path) -> None:
    acme, beta = consortium.acme, consortium.beta
    assert beta.command("peer", "remove", "acme", "--yes").returncode == 0
    other = Secretariat(tmp_path, real_time=True)
    other.admit("gamma", acme.url, acme.fingerprint)
    with static_server(other.www) as url:
        told = {"HASHPACT_DIRECTORY_URL": url, "HASHPACT_DIRECTORY_FINGERPRINT": other.fingerprint}
        done = beta.command("directory", "follow", "--json", env=beta.environment | told)
    assert done.returncode == 1
    assert "is not 'gamma'" in json.loads(done.stdout)["refused"]["gamma"]
    assert consortium.alarms(beta) == {"directory-member-refused"}
    assert [peer["member"] for peer in consortium.told(beta, "peer", "list")["peers"]] == []
