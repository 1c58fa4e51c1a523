"""``hashpact directory``: the secretariat's commands, and a node's that follows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from commands import Commands
from hashpact_keys.keystore import KeyStore
from hashpact_node import clock
from hashpact_node.services.directory_home import DirectoryHome
from nodes import PASSPHRASE, TestNode
from secretariat import FINGERPRINT, static_server
from terminals import Terminal


class Keeper:
    """Runs the secretariat's commands on its folder, and publishes below a web server."""

    def __init__(self, commands: Commands, folder: Path) -> None:
        self.commands, self.folder, self.www = commands, folder / "kept", folder / "www"

    def __call__(self, *words: str, code: int = 0) -> Any:
        return self.commands("directory", *words, "--home", str(self.folder), code=code)

    def json(self, *words: str) -> Any:
        return self.commands.json("directory", *words, "--home", str(self.folder))

    def error(self, *words: str, code: int) -> dict[str, Any]:
        return self.commands.error("directory", *words, "--home", str(self.folder), code=code)


INCIDENT = "0f9e8d7c-6b5a-4f3e-8d2c-1b0a9f8e7d6c"


@pytest.fixture
def keeper(beta: Commands, tmp_path: Path, quick_keys: None) -> Keeper:
    del quick_keys
    return Keeper(beta, tmp_path)


@pytest.fixture
def followed(keeper: Keeper, beta: Commands) -> Iterator[str]:
    """The fingerprint of a directory that beta follows with the policy auto."""
    fingerprint: str = keeper.json("init", "--name", "A Consortium")["fingerprint"]
    keeper("publish", str(keeper.www))
    with static_server(keeper.www) as url, (beta.home / "node.toml").open("a", encoding="utf-8") as settings:
        settings.write(f'directory_url = "{url}"\ndirectory_fingerprint = "{fingerprint}"\ndirectory_policy = "auto"\n')
        settings.flush()
        yield fingerprint


def test_a_secretariat_admits_suspends_and_readmits(
    keeper: Keeper, served: TestNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = keeper("init", "--name", "A Consortium")
    assert "line 1: " in made.stdout
    assert "whoever takes it, says who is a member" in made.stderr
    assert keeper.error("init", "--name", "A Consortium", code=4)["mend"]
    pin = ("gamma", served.url, "--fingerprint", served.fingerprint)
    assert "no terminal" in keeper.error("admit", *pin, code=2)["what"]
    asked: list[str] = []
    monkeypatch.setattr("hashpact_node.cli.asking.sys", Terminal())

    def refuse(question: str, **_options: object) -> bool:
        asked.append(question)
        return False

    monkeypatch.setattr("hashpact_node.cli.asking.typer.confirm", refuse)
    assert "You are about to admit gamma" in keeper("admit", *pin, code=1).stdout
    assert "itself tell you this fingerprint" in asked[0]
    assert keeper.json("list")["members"] == []
    said = keeper("admit", *pin, "--yes")
    assert "gamma is admitted since" in said.stdout
    assert "Nobody sees it before" in said.stderr
    unchecked = DirectoryHome(keeper.folder, KeyStore(keeper.folder, PASSPHRASE.encode), clock.now)
    unchecked.admit("garnma", "https://garnma.example", FINGERPRINT)
    said = keeper("admit", "gamma", served.url, "--fingerprint", served.fingerprint, "--yes", code=4).stderr
    assert "the id gamma may be taken for garnma" in said, "also where nobody is asked"
    assert keeper.json("suspend", "gamma", "--reason", "theft")["standing"] == "suspended"
    assert "theft" in keeper("list").stdout
    assert "gamma is admitted" in keeper("readmit", "gamma").stdout
    assert "nodes believe it until" in keeper("publish", str(keeper.www)).stdout
    assert keeper.json("publish", str(keeper.www))["folder"] == str(keeper.www)
    assert keeper.error("suspend", "delta", code=3)["what"] == "delta is not listed"


def test_nobody_is_admitted_whose_repository_says_otherwise(keeper: Keeper, served: TestNode, tmp_path: Path) -> None:
    keeper("init", "--name", "A Consortium")
    for words, code, what in (
        (("gamma", served.url, "--fingerprint", FINGERPRINT), 1, "was pinned"),
        (("delta", served.url, "--fingerprint", served.fingerprint), 1, "is not 'delta'"),
        (("gamma", served.url), 2, "listed under the fingerprint"),
        (("gamma",), 2, "member id and a URL"),
    ):
        assert what in keeper.error("admit", *words, "--yes", code=code)["what"]
    told = tmp_path / "gamma.json"
    assert served.command("peer", "invite", "--to", str(told)).returncode == 0
    assert "proves nothing" in keeper.error("admit", "--invitation", str(told), "--yes", code=2)["what"]
    keeper("admit", "--invitation", str(told), "--fingerprint", served.fingerprint, "--yes")
    assert [one["member"] for one in keeper.json("list")["members"]] == ["gamma"]


def test_a_secretariat_calls_incidents_active_and_no_more(keeper: Keeper) -> None:
    keeper("init", "--name", "A Consortium")
    said = keeper("activate", INCIDENT)
    assert f"active: {INCIDENT}" in said.stdout
    assert "Nobody sees it before" in said.stderr
    assert keeper.json("list")["incidents"] == [INCIDENT]
    assert INCIDENT in keeper("list").stdout
    assert "active already" in keeper.error("activate", INCIDENT, code=4)["what"]
    assert keeper.json("conclude", INCIDENT) == {"incident": INCIDENT, "status": "concluded"}
    assert keeper.error("conclude", INCIDENT, code=3)["mend"]
    assert keeper.json("list")["incidents"] == []


def test_a_folder_without_a_directory(keeper: Keeper) -> None:
    for words in (("list",), ("publish", "www"), ("suspend", "gamma"), ("readmit", "gamma")):
        assert "no directory in this folder" in keeper.error(*words, code=2)["what"]


def test_a_node_follows(keeper: Keeper, beta: Commands, served: TestNode, followed: str) -> None:
    assert "no directory was accepted" in beta.error("directory", "show", code=3)["what"]
    assert "nothing was changed" in beta("directory", "follow").stdout
    keeper("admit", "gamma", served.url, "--fingerprint", served.fingerprint, "--yes")
    keeper("publish", str(keeper.www))
    assert beta.json("directory", "follow")["added"] == ["gamma"]
    assert "by the directory" in beta("peer", "show", "gamma").stdout
    shown = beta.json("directory", "show")
    assert (shown["name"], shown["policy"]) == ("A Consortium", "auto")
    assert (shown["members"][0]["member"], shown["members"][0]["here"]) == ("gamma", "active")
    assert "gamma" in beta("directory", "show").stdout
    assert "change nothing here" in beta("directory", "pending").stdout
    keeper("suspend", "gamma", "--reason", "theft")
    keeper("publish", str(keeper.www))
    assert "gamma was suspended" in beta("directory", "follow").stdout
    keeper("readmit", "gamma")
    keeper("publish", str(keeper.www))
    beta("peer", "remove", "gamma", "--yes")
    said = beta("directory", "follow")
    assert "a person removed it here" in said.stderr
    assert beta.json("directory", "pending")["pending"][0]["step"] == "add"
    assert "removed it here" in beta("directory", "pending").stdout
    assert "done: add gamma" in beta("directory", "accept", "gamma").stdout
    assert beta.error("directory", "accept", "gamma", code=3)["mend"]
    assert followed


def test_a_node_says_whom_it_refuses(keeper: Keeper, beta: Commands, served: TestNode, followed: str) -> None:
    unchecked = DirectoryHome(keeper.folder, KeyStore(keeper.folder, PASSPHRASE.encode), clock.now)
    unchecked.admit("gamma", served.url, FINGERPRINT)
    keeper("publish", str(keeper.www))
    assert "gamma is refused" in beta("directory", "follow", code=1).stderr
    assert beta.json("peer", "list") == {"peers": []}
    shown = beta.json("peer", "preview", "gamma", served.url, "--fingerprint", served.fingerprint)
    assert shown["directory"].startswith("lists it as admitted")
    assert any("names another root" in one for one in shown["cautions"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HASHPACT_DIRECTORY_POLICY", "off")
        assert "changes nothing" in beta("directory", "follow").stdout
    assert followed


def test_without_a_directory_it_says_how_to_set_one(beta: Commands) -> None:
    for command in ("show", "pending"):
        assert "directory_url" in beta.error("directory", command, code=2)["mend"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HASHPACT_DIRECTORY_POLICY", "auto")
        assert "not which" in beta.error("directory", "follow", code=2)["what"]
