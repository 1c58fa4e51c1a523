"""The stage of one case: simulated members on loopback, one reader under test, and a clock that both go by."""

from __future__ import annotations

import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from hashpact_conformance import clock
from hashpact_conformance.commands import Answer, Entrypoint, Export
from hashpact_conformance.dump import Dump
from hashpact_conformance.simulator.member import Member
from hashpact_conformance.simulator.replies import Reply
from hashpact_conformance.simulator.server import Asked, Server
from hashpact_conformance.simulator.statements import listing, value_of

REQUESTS_MAX = 400
"""More requests than this in one case are no answer to one bad peer but a flood, unless a case says otherwise."""


DUMP_MAX_BYTES = 1_000_000
RECOVERED = 990
"""The listing by which is seen that a reader recovers."""


@dataclass
class Reader:
    """The reader under test: a command line; ``home`` is a folder that holds all of a node, and that may be copied."""

    command: Sequence[str]
    dump: Dump

    def init(self, home: Path, member: str, url: str, *, require_witnesses: int) -> None:
        """Set up a node."""
        self._at(home).init(member, url, require_witnesses=require_witnesses)

    def follow(self, home: Path, member: str, url: str, root: bytes) -> Answer:
        """Follow a member under a pin."""
        with tempfile.NamedTemporaryFile(suffix=".root.json") as file:
            file.write(root)
            file.flush()
            return self._at(home).follow(member, url, Path(file.name))

    def pull(self, home: Path, *options: str) -> Answer:
        """Pull all members once, whatever was planned."""
        return self._at(home).call("pull", *options)

    def export(self, home: Path) -> Export:
        """Say what is held."""
        return self._at(home).export()

    def _at(self, home: Path) -> Entrypoint:
        return Entrypoint(self.command, home, self.dump)


@dataclass
class Stage:
    """What outlives a case: servers, their members as they were when the prepared homes were made, and those homes."""

    reader: Reader
    servers: Mapping[str, Server]
    members: Mapping[str, Member]
    homes: Mapping[str, Path]
    now: datetime
    held: Export
    """What the home ``following`` holds."""


@dataclass
class World:
    """One case: ``subject`` is the member whose server may lie, ``other`` an honest one beside it."""

    stage: Stage
    home: Path
    now: datetime
    members: dict[str, Member]
    requests_max: int = REQUESTS_MAX
    deadline: float | None = None
    moved: bool = False
    """Whether it is another time here than the real one."""
    _held: Export | None = None

    @property
    def subject(self) -> Member:
        """The member whose behaviour is the case."""
        return self.members["beta"]

    @property
    def other(self) -> Member:
        """An honest member."""
        return self.members["gamma"]

    def serve(self, member: Member) -> None:
        """Let this member answer at its URL from now on: the same one with another story, or a thief."""
        self.members[member.id] = member

    def later(self, *, renewed: bool = True, **time: float) -> None:
        """Let time pass, for the reader and for all members, who sign their trust repositories anew unless it is said.

        What comes then needs an entrypoint that can be told the time.
        """
        self.now = max(self.now, _real_now()) + timedelta(**time)
        self.moved = True
        for member in self.members.values():
            member.dated(self.now)
            if renewed:
                member.trust.renew()

    def pull(self, *options: str) -> Answer:
        """Pull all members, at this world's time if that is not the real one."""
        self._held = None
        told = [*options]
        if self.moved:
            told += ["--now", f"{self.now:%Y-%m-%dT%H:%M:%SZ}"]
        if self.deadline is not None:
            told += ["--deadline", f"{self.deadline:g}"]
        answer = self.stage.reader.pull(self.home, *told)
        if answer.value is not None:
            self._held = Entrypoint.read_export(answer.value)
        return answer

    def follow(self, member: Member, root: bytes | None = None, *, url: str | None = None) -> Answer:
        """Let the reader follow a member, pinned by its newest root unless it is said."""
        self._held = None
        return self.stage.reader.follow(self.home, member.id, url or member.url, root or member.trust.root)

    def export(self) -> Export:
        """Ask the reader what it holds; what it said is remembered until the next command."""
        if self._held is None:
            self._held = self.stage.reader.export(self.home)
        return self._held

    def asked(self, member: Member | None = None, beginning: str = "") -> list[Asked]:
        """Give what a member, the subject unless it is said, was asked: paths that begin so below its URL."""
        server = self.stage.servers[(member or self.subject).id]
        return [asked for asked in server.asked if asked.path.startswith(f"/{beginning}")]

    def forget(self) -> None:
        """Forget what was asked so far."""
        for server in self.stage.servers.values():
            server.asked.clear()

    def answer(self, name: str, asked: Asked) -> Reply:
        """Answer for a member."""
        return self.members[name].answer(asked)

    def claims(self, *numbers: int, member: str = "beta") -> set[int]:
        """Give which of these numbers a member is now held to list."""
        held = self.export().claims
        return {number for number in numbers if (member, "sha256", value_of(number)) in held}

    # What every case comes down to.

    def refused(self, *, told: bool = True, others: bool = True) -> Answer:
        """Pull, and see that nothing of the subject's list changed, that people are told, and that others go on."""
        number = 70_000 + len(self.other.log.entries)
        self.other.log.append(listing(number))
        before = self.export()
        answer = self.pull()
        after = self.export()
        self._unchanged(before, after)
        if told:
            assert answer.code or after.alarms - before.alarms, "the reader says nothing: exit 0, and no new alarm"
        if others:
            assert ("gamma", "sha256", value_of(number)) in after.claims, "an honest peer was not read any more"
        return answer

    def accepted(self, *numbers: int) -> None:
        """Pull, and see that the subject's listings of these numbers are taken."""
        answer = self.pull()
        held = self.claims(*numbers)
        assert held == set(numbers), f"{set(numbers) - held} not taken; exit {answer.code}: {answer.said}"

    def recovers(self, *numbers: int) -> None:
        """Be honest again, list one more, and see that it and ``numbers`` are taken: refusing all protects nobody."""
        self.subject.mend()
        self.deadline = None
        self.stage.servers[self.subject.id].end_answers()
        self.subject.log.append(listing(RECOVERED))
        self.accepted(RECOVERED, *numbers)

    def _unchanged(self, before: Export, after: Export) -> None:
        lost, won = (
            {claim for claim in one.claims if claim[0] == self.subject.id}
            - {claim for claim in other.claims if claim[0] == self.subject.id}
            for one, other in ((before, after), (after, before))
        )
        assert not lost, f"claims were lost: {sorted(lost)[:5]}"
        assert not won, f"unverified claims were taken: {sorted(won)[:5]}"
        sizes = [
            {
                origin: log.held_size
                for origin, log in one.logs.items()
                if log.held_size and origin.startswith(f"{self.subject.prefix}/")
            }
            for one in (before, after)
        ]
        assert sizes[0] == sizes[1], f"what is held moved from {sizes[0]} to {sizes[1]}"

    def check(self) -> None:
        """See, at the end of a case, that no reader asked what it has no business to ask."""
        for member in self.members.values():
            assert not member.unexpected, f"nobody should ask for {member.unexpected[:10]}"
        total = sum(len(server.asked) for server in self.stage.servers.values())
        assert total <= self.requests_max, f"{total} requests; {self.requests_max} are plenty"


@contextmanager
def opened(stage: Stage, folder: Path, *, home: str = "following") -> Iterator[World]:
    """Open a world of its own: prepared home and members are copied; servers answer for it until it is closed."""
    place = folder / "home"
    shutil.copytree(stage.homes[home], place)
    members = {name: member.copy() for name, member in stage.members.items()}
    world = World(stage, place, stage.now, members, _held=stage.held if home == "following" else None)
    for name, server in stage.servers.items():
        server.end_answers()
        server.answer = _answering(world, name)
    try:
        yield world
        world.check()
    finally:
        for server in stage.servers.values():
            server.answer = lambda _asked: Reply(503, b"no scenario is running")
            server.end_answers()
        shutil.rmtree(place, ignore_errors=True)


def _answering(world: World, name: str) -> Callable[[Asked], Reply]:
    def answer(asked: Asked) -> Reply:
        reply = world.answer(name, asked)
        world.stage.reader.dump.keep(f"{name}{asked.path}", reply.body[:DUMP_MAX_BYTES])
        return reply

    return answer


def prepare(reader: Reader, servers: Mapping[str, Server], folder: Path, *, require_witnesses: int = 0) -> Stage:
    """Prepare what all cases begin with: two honest members, a home that follows both, and one that follows nobody.

    Members list 1 to 5 (beta) and 60 001 to 60 003 (gamma), and cosign each other's checkpoints. AssertionError when
    the reader cannot even follow honest members: then nothing else can be said of it.
    """
    now = _real_now()
    founded, following = folder / "founded", folder / "following"
    reader.init(founded, "acme", f"http://127.0.0.1:{_free_port()}", require_witnesses=require_witnesses)
    members = {name: Member(name, server.url, now) for name, server in servers.items()}
    members["beta"].log.append(*(listing(number) for number in range(1, 6)))
    for member in members.values():
        if member.id != "beta":
            member.log.append(*(listing(60_000 + number) for number in range(1, 4)))
    shutil.copytree(founded, following)
    for name, server in servers.items():
        server.answer = members[name].answer
    for member in members.values():
        told = reader.follow(following, member.id, member.url, member.trust.root)
        assert told.code == 0, f"an honest member was not followed: exit {told.code}: {told.said}"
    others = {name: [other.witness for other in members.values() if other.id != name] for name in members}
    for name, member in members.items():
        member.cosigners = others[name][:require_witnesses]
    told = reader.pull(following)
    for member in members.values():
        member.cosigners = []
    assert told.code == 0, f"honest members were not pulled: exit {told.code}: {told.said}"
    held = reader.export(following)
    wanted = {("beta", "sha256", value_of(number)) for number in range(1, 6)}
    assert wanted <= held.claims, f"an honest member's listings are not there: {sorted(wanted - held.claims)}"
    for member in members.values():
        assert not member.unexpected, f"nobody should ask for {member.unexpected}"
    return Stage(reader, servers, members, {"founded": founded, "following": following}, now, held)


def _real_now() -> datetime:
    return clock.now().replace(microsecond=0)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
