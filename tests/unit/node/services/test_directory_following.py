from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from follower import Follower
from hashpact_node.services import directory_following
from hashpact_node.services.directory_following import DirectoryFollower, Followed
from hashpact_node.services.directory_plan import Step
from hashpact_node.services.introducing import look_at_member
from hashpact_node.services.peering import Peering, PeerView
from hashpact_node.store.audit import page_entries
from hashpact_node.store.decisions import DIRECTORY, LOCAL, list_decisions
from hashpact_node.store.directories import find_directory, load_directory_files
from hashpact_node.store.peers import find_peer
from hashpact_protocol.errors import (
    ConfigurationError,
    ConflictError,
    FetchError,
    NotFoundError,
    StoreBusyError,
    TrustError,
)
from hashpact_protocol.policy import Action
from members import listing, sha256
from publisher import Publisher, says
from secretariat import FINGERPRINT, Secretariat, static_server


class Scene:
    """Acme, which follows a directory, and beta, which may be listed in it."""

    def __init__(self, acme: Follower, beta: Publisher, secretariat: Secretariat, url: str) -> None:
        self.acme, self.beta, self.secretariat, self.url = acme, beta, secretariat, url

    def follower(self, policy: str = "auto", **settings: str) -> DirectoryFollower:
        told = {"directory_url": self.url, "directory_fingerprint": self.secretariat.fingerprint, **settings}
        settings_now = replace(self.acme.own.settings, directory_policy=policy, **told)  # type: ignore[arg-type]  # texts
        acme = self.acme
        return DirectoryFollower(acme.database, acme.locks, acme.fetcher, acme.peering, settings_now, acme.now)

    def follow(self, policy: str = "auto") -> Followed:
        """Read the directory and do what the policy lets it do."""
        return self.follower(policy).follow()

    def later(self, **time: float) -> None:
        """Let time pass for everybody."""
        self.acme.later(**time)
        self.secretariat.later(**time)

    def admit(self) -> None:
        """List beta as it is."""
        self.secretariat.admit("beta", self.beta.url, self.beta.fingerprint)

    def state(self) -> str | None:
        """Give beta's state here."""
        with self.acme.database.read() as connection:
            peer = find_peer(connection, "beta")
        return None if peer is None else peer.state

    def decided(self) -> str | None:
        """Give who decided last about beta."""
        with self.acme.database.read() as connection:
            found = list_decisions(connection).get("beta")
        return None if found is None else found.by

    def codes(self) -> set[str]:
        """Give the codes of the alarms about the directory."""
        return {code for code in self.acme.alarms() if code.startswith("directory-")}


@pytest.fixture
def scene(sqlite_follower: Follower, publisher: Publisher, tmp_path: Path) -> Iterator[Scene]:
    secretariat = Secretariat(tmp_path / "secretariat")
    secretariat.publish()
    with static_server(secretariat.www) as url:
        yield Scene(sqlite_follower, publisher, secretariat, url)


def test_whoever_is_admitted_suspended_and_readmitted_is_followed_so(scene: Scene) -> None:
    assert scene.follow() == Followed()
    scene.beta.log.append(listing(1, sha256(1)))
    scene.admit()
    assert scene.follow().added == ["beta"]
    assert (scene.state(), scene.decided()) == ("active", DIRECTORY)
    assert scene.acme.peer().pinned_fingerprint == scene.beta.fingerprint
    assert scene.acme.pull(scene.beta) == []
    assert scene.acme.action(sha256(1)) == Action.REVIEW
    scene.secretariat.suspend("beta", "its key was stolen")
    done = scene.follow()
    assert (done.suspended, done.pending, scene.state()) == (["beta"], [], "suspended")
    decision = scene.acme.peering.show("beta").decision
    assert decision is not None
    assert (decision.by, decision.reason) == (DIRECTORY, "its key was stolen")
    assert scene.acme.action(sha256(1)) == Action.NONE
    scene.secretariat.readmit("beta")
    assert scene.follow().readmitted == ["beta"]
    assert (scene.state(), scene.acme.action(sha256(1))) == ("active", Action.REVIEW)
    assert scene.follow() == Followed()
    assert scene.codes() == set()


def test_what_it_did_is_in_the_audit_log(scene: Scene) -> None:
    scene.admit()
    scene.follow()
    scene.secretariat.suspend("beta", "theft")
    scene.follow()
    with scene.acme.database.read() as connection:
        entries = [json.loads(entry) for _, _, entry in page_entries(connection, after=0, limit=100)]
    told = [(one["action"], one["subject"]) for one in entries if one["actor"]["name"] == "directory"]
    assert told == [("add peer", "beta"), ("suspend peer", "beta")]


def test_with_ask_a_person_accepts(scene: Scene) -> None:
    scene.admit()
    done = scene.follow("ask")
    assert ([(one.entry.member, one.step, one.left) for one in done.pending], scene.state()) == (
        [("beta", Step.ADD, None)],
        None,
    )
    assert scene.codes() == {"directory-asks"}
    assert "add beta" in scene.acme.alarms()["directory-asks"].what
    follower = scene.follower("ask")
    assert [one.entry.member for one in follower.pending().pending] == ["beta"]
    assert follower.accept("beta").step is Step.ADD
    assert (scene.state(), scene.decided(), scene.codes()) == ("active", DIRECTORY, set())
    with pytest.raises(NotFoundError, match="nothing about beta"):
        follower.accept("beta")
    scene.secretariat.suspend("beta", "theft")
    assert [one.step for one in scene.follow("ask").pending] == [Step.SUSPEND]
    assert scene.state() == "active"


def test_with_off_nothing_is_read(scene: Scene) -> None:
    scene.admit()
    scene.follow("ask")
    assert scene.codes() == {"directory-asks"}
    shutil.rmtree(scene.secretariat.www)
    assert scene.follow("off") == Followed()
    assert (scene.state(), scene.codes()) == (None, set())


@pytest.mark.parametrize("state", ["paused", "suspended", "removed"])
def test_a_persons_word_stands(scene: Scene, state: str) -> None:
    scene.acme.add(scene.beta)
    changes: dict[str, Callable[[str], object]] = {
        "paused": scene.acme.peering.pause,
        "suspended": scene.acme.peering.suspend,
        "removed": scene.acme.peering.remove,
    }
    changes[state]("beta")
    scene.admit()
    for _ in range(2):
        done = scene.follow()
        assert (done.added, done.readmitted, scene.state()) == ([], [], state)
        assert f"a person {state} it here" in (done.pending[0].left or "")
        assert scene.codes() == {"directory-differs"}
    if state != "paused":
        scene.secretariat.suspend("beta")
        assert (scene.follow().differs, scene.state(), scene.codes()) == ([], state, set())
        scene.secretariat.readmit("beta")
        assert (scene.follow().readmitted, scene.state()) == ([], state)
    scene.follower().accept("beta")
    assert (scene.state(), scene.decided(), scene.codes()) == ("active", DIRECTORY, set())


def test_whom_a_person_takes_up_against_it_stays(scene: Scene) -> None:
    scene.admit()
    scene.follow()
    scene.secretariat.suspend("beta")
    scene.follow()
    scene.acme.peering.resume("beta")
    done = scene.follow()
    assert (done.suspended, scene.state(), scene.codes()) == ([], "active", {"directory-differs"})
    assert "wants it to be followed" in done.differs[0]
    scene.secretariat.readmit("beta")
    assert (scene.follow().differs, scene.decided(), scene.codes()) == ([], LOCAL, set())
    scene.secretariat.suspend("beta")
    assert (scene.follow().suspended, scene.state()) == ([], "active")


def test_whom_a_person_added_the_directory_does_not_throw_out(scene: Scene) -> None:
    scene.acme.add(scene.beta)
    scene.admit()
    assert scene.follow() == Followed()
    assert scene.decided() == LOCAL
    scene.secretariat.suspend("beta", "theft")
    for _ in range(2):
        done = scene.follow()
        assert (done.suspended, scene.state(), scene.codes()) == ([], "active", {"directory-differs"})
        assert done.differs == ["beta is suspended: theft there, and a person here wants it to be followed"]
    scene.follower().accept("beta")
    assert (scene.state(), scene.decided(), scene.codes()) == ("suspended", DIRECTORY, set())


def test_a_person_who_decides_while_the_directory_is_followed_is_not_overridden(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.admit()
    scene.follow()
    scene.secretariat.suspend("beta", "theft")
    scene.follow()
    scene.secretariat.admit("aaa", "http://127.0.0.1:1", FINGERPRINT)
    scene.secretariat.readmit("beta")

    def slow(*told: Any) -> object:
        scene.acme.peering.suspend("beta", reason="a person says so")
        return look_at_member(*told)

    monkeypatch.setattr(directory_following, "look_at_member", slow)
    done = scene.follow()
    assert (done.readmitted, set(done.refused), scene.state(), scene.decided()) == ([], {"aaa"}, "suspended", LOCAL)
    assert "a person suspended it here" in done.differs[0]
    decision = scene.acme.peering.show("beta").decision
    assert decision is not None
    assert decision.reason == "a person says so"


@pytest.mark.parametrize("decide", ["pause", "remove", "resume"])
def test_a_suspension_by_the_directory_does_not_undo_what_a_person_does_meanwhile(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, decide: str
) -> None:
    scene.admit()
    scene.follow()
    scene.secretariat.suspend("beta", "theft")
    suspend = Peering.suspend

    def later(peering: Peering, member: str, **told: Any) -> PeerView:
        getattr(peering, decide)(member)
        return suspend(peering, member, **told)

    monkeypatch.setattr(Peering, "suspend", later)
    done = scene.follow()
    assert (done.suspended, done.refused, scene.decided()) == ([], {}, LOCAL)
    assert scene.state() == {"pause": "paused", "remove": "removed", "resume": "active"}[decide]


def test_whom_a_person_removes_meanwhile_the_directory_does_not_add(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.admit()
    add = Peering.add

    def later(peering: Peering, member: str, *told: Any, **more: Any) -> PeerView:
        add(peering, member, scene.beta.url, fingerprint=scene.beta.fingerprint)
        peering.remove(member)
        return add(peering, member, *told, **more)

    monkeypatch.setattr(Peering, "add", later)
    done = scene.follow()
    assert (done.added, done.refused, scene.state(), scene.decided()) == ([], {}, "removed", LOCAL)


def test_whom_a_person_added_under_another_root_is_left_alone(scene: Scene) -> None:
    scene.acme.add(scene.beta)
    scene.secretariat.admit("beta", scene.beta.url, FINGERPRINT)
    for standing in ("admitted", "suspended"):
        done = scene.follow()
        assert (done.suspended, scene.state()) == ([], "active")
        assert f"beta is {standing} there, and it was added here under another root" in done.differs
        if standing == "admitted":
            with pytest.raises(TrustError, match="was pinned"):
                scene.follower().accept("beta")
            assert scene.state() == "active", "nobody is lost for one who cannot be read"
            scene.secretariat.suspend("beta")


@pytest.mark.parametrize(
    ("name", "words"),
    [("Acrne", "may be taken for that of acme"), ("Be\u0442a", "mixes Cyrillic and Latin"), (None, "the id acrne")],
)
def test_whoever_may_be_taken_for_another_is_left_to_a_person(scene: Scene, name: str | None, words: str) -> None:
    with Publisher("acrne" if name is None else "delta") as other:
        if name is not None:
            other.publish(name=name)
        scene.secretariat.admit(other.member, other.url, other.fingerprint)
        scene.admit()
        done = scene.follow()
        assert (done.added, done.refused, scene.codes()) == (["beta"], {}, {"directory-differs"})
        assert [one.entry.member for one in done.pending] == [other.member]
        assert words in (done.pending[0].left or "")
        assert words in scene.acme.alarms()["directory-differs"].what
        with pytest.raises(ConflictError, match="look twice") as caught:
            scene.follower().accept(other.member)
        assert words in caught.value.what
        assert f"accept {other.member} --yes" in str(caught.value.mend)
        assert [one.peer.member for one in scene.acme.peering.list()] == ["beta"]
        scene.follower().accept(other.member, sure=True)
        assert scene.acme.peer(other.member).state == "active"
        assert scene.follow() == Followed()


def test_a_move_is_asked_and_accepted(scene: Scene) -> None:
    with Publisher("beta") as moved:
        scene.acme.add(scene.beta)
        scene.secretariat.admit("beta", moved.url, moved.fingerprint)
        done = scene.follow()
        assert [(one.step, scene.acme.peer().url) for one in done.pending] == [(Step.MOVE, scene.beta.url)]
        scene.follower().accept("beta")
        peer = scene.acme.peer()
        assert (peer.state, peer.url, peer.pinned_fingerprint) == ("active", moved.url, moved.fingerprint)


def test_the_directory_cannot_sign_for_a_member(scene: Scene) -> None:
    scene.secretariat.admit("beta", scene.beta.url, FINGERPRINT)
    scene.secretariat.admit("delta", "http://127.0.0.1:1", FINGERPRINT)
    done = scene.follow()
    assert set(done.refused) == {"beta", "delta"}
    assert "was pinned" in done.refused["beta"]
    assert (done.added, scene.state(), scene.codes()) == ([], None, {"directory-member-refused"})
    scene.admit()
    done = scene.follow()
    assert (done.added, set(done.refused)) == (["beta"], {"delta"})


def test_a_member_under_anothers_id_is_refused(scene: Scene) -> None:
    scene.secretariat.admit("gamma", scene.beta.url, scene.beta.fingerprint)
    done = scene.follow()
    assert "is not 'gamma'" in done.refused["gamma"]
    assert (done.added, scene.codes()) == ([], {"directory-member-refused"})


def test_an_address_that_collides_with_ours_is_refused(scene: Scene) -> None:
    scene.secretariat.admit("gamma", "https://acme.example/gamma", FINGERPRINT)
    assert "begin alike" in scene.follow().refused["gamma"]


def test_what_it_says_of_this_member_is_told(scene: Scene) -> None:
    scene.secretariat.admit("acme", "https://acme.example", FINGERPRINT)
    done = scene.follow()
    assert (done.added, done.pending) == ([], [])
    assert "names a root of this member that is none" in done.differs[0]
    assert scene.codes() == {"directory-differs"}
    with pytest.raises(NotFoundError):
        scene.follower().accept("acme")


def test_a_rollback_is_refused_and_told(scene: Scene, tmp_path: Path) -> None:
    scene.admit()
    scene.secretariat.suspend("beta", "theft")
    old = shutil.copytree(scene.secretariat.www, tmp_path / "old")
    scene.later(minutes=1)
    scene.secretariat.readmit("beta")
    assert scene.follow().added == ["beta"]
    shutil.rmtree(scene.secretariat.www)
    shutil.copytree(old, scene.secretariat.www)
    done = scene.follow()
    assert (done.suspended, scene.state(), scene.codes()) == ([], "active", {"directory-unread"})
    assert "must not come now" in scene.acme.alarms()["directory-unread"].what
    scene.later(minutes=1)
    scene.secretariat.suspend("beta")
    assert (scene.follow().suspended, scene.codes()) == (["beta"], set())


def test_an_expired_directory_stands_and_is_told(scene: Scene) -> None:
    scene.admit()
    scene.follow()
    scene.acme.later(days=2)
    assert scene.follow() == Followed()
    assert (scene.state(), scene.codes()) == ("active", {"directory-unread"})
    assert "expired" in scene.acme.alarms()["directory-unread"].what


def test_nothing_is_believed_under_another_pin(scene: Scene) -> None:
    follower = scene.follower(directory_fingerprint=FINGERPRINT)
    with pytest.raises(TrustError, match="was pinned"):
        follower.follow()
    with pytest.raises(NotFoundError, match="no directory was accepted"):
        follower.directory()
    assert scene.codes() == {"directory-unread"}
    with pytest.raises(FetchError):
        scene.follower(directory_url="http://127.0.0.1:1").follow()
    scene.follow()
    assert scene.codes() == set()
    with scene.acme.database.read() as connection:
        assert find_directory(connection, FINGERPRINT) is None, "what another pin left is forgotten"
        assert load_directory_files(connection, FINGERPRINT) == {}


def test_without_a_directory_it_says_how_to_set_one(scene: Scene) -> None:
    own = scene.acme.own.settings
    acme = scene.acme
    follower = DirectoryFollower(acme.database, acme.locks, acme.fetcher, acme.peering, own, acme.now)
    assert follower.follow() == Followed()
    for ask in (follower.pending, lambda: follower.accept("beta")):
        with pytest.raises(ConfigurationError, match="no directory is set"):
            ask()


def test_a_members_card_is_no_directory(scene: Scene) -> None:
    follower = scene.follower(directory_url=scene.beta.url, directory_fingerprint=scene.beta.fingerprint)
    with pytest.raises(TrustError, match=r"do not name directory.json"):
        follower.follow()


def test_whoever_came_from_it_and_is_gone_is_told(scene: Scene) -> None:
    scene.acme.peering.add("beta", scene.beta.url, fingerprint=scene.beta.fingerprint, by=DIRECTORY)
    assert scene.follow().differs == ["beta is listed there no more"]
    assert (scene.state(), scene.codes()) == ("active", {"directory-differs"})


def test_many_words_are_cut_short(scene: Scene) -> None:
    for number in range(8):
        scene.secretariat.home.admit(f"m{number}", f"https://m{number}.example", FINGERPRINT)
    scene.secretariat.publish()
    scene.follow("ask")
    assert "; and 3 more" in scene.acme.alarms()["directory-asks"].what


def test_a_run_has_an_end(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.admit()
    monkeypatch.setattr(directory_following, "RUN_SECONDS", -1.0)
    done = scene.follow()
    assert (done.added, [one.step for one in done.pending]) == ([], [Step.ADD])


def test_two_do_not_follow_at_once(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory_following, "LOCK_WAIT_SECONDS", 0.01)
    with scene.acme.locks.hold("directory"), pytest.raises(StoreBusyError):
        scene.follow()


def test_what_a_member_serves_wrongly_is_not_taken(scene: Scene) -> None:
    scene.admit()
    scene.beta.alter("/trust/metadata/timestamp.json", says(b"", 500))
    assert set(scene.follow().refused) == {"beta"}
    assert scene.state() is None
    scene.beta.mend()
    assert scene.follow().added == ["beta"]
