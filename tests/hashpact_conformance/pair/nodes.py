"""Two nodes under test that follow each other, and what the suite asks of them."""

from __future__ import annotations

import base64
import hashlib
import secrets
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hashpact_conformance.commands import Entrypoint, Export
from hashpact_conformance.publisher.site import Site
from hashpact_conformance.publisher.trust_chain import read_chain
from hashpact_protocol.card import Card, parse_card

Claim = tuple[str, str]
PORTS = range(10_000, 20_000)


def free_port() -> int:
    """Find a port of loopback that nobody listens on now, below those that systems give to outgoing connections."""
    while True:
        port = secrets.choice(PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def fresh_claim(kind: str = "sha256") -> Claim:
    """Give a signal that nobody has listed before: a type and a random value."""
    digits = {"md5": 32, "sha1": 40, "sha256": 64, "sha512": 128, "pdq": 64, "url_sha256": 64, "tlsh": 70}[kind]
    value = secrets.token_hex(digits // 2)
    return kind, f"T1{value.upper()}" if kind == "tlsh" else value


@dataclass
class Node:
    """One of the two: a member with its home, at its URL."""

    member: str
    url: str
    entrypoint: Entrypoint
    root: Path

    def publish(self, claim: Claim) -> str:
        """Publish and release a listing of one signal; gives its id."""
        value = self.entrypoint.must("publish", "--type", claim[0], "--value", claim[1])
        return str(value["listing"])

    def withdraw(self, listing: str) -> None:
        """Withdraw an own listing, and release that."""
        self.entrypoint.must("withdraw", "--listing", listing)

    def command(self, name: str, *arguments: str) -> None:
        """Run a command that has to succeed."""
        self.entrypoint.must(name, *arguments)

    def pull(self) -> None:
        """Read the other node; nothing may be refused."""
        answer = self.entrypoint.pull()
        assert not answer.refused, f"{self.member} refuses something: {answer.said.strip()[-1_000:]}"

    def export(self) -> Export:
        """Tell what it holds."""
        return self.entrypoint.export()

    def digest(self, *members: str) -> str:
        """Tell the digest over the logs of some members."""
        return str(self.entrypoint.must("digest", "--members", ",".join(members))["digest"])

    def card(self) -> Card:
        """Read its card as anybody can."""
        site = Site(self.url)
        try:
            return parse_card(read_chain(site, self.root.read_bytes()).card, member=self.member, url=self.url)
        finally:
            site.client.close()

    def bytes_at(self, url: str) -> tuple[int, bytes]:
        """Ask for a URL, or a path below its own, as a member that it answers: itself; status and body.

        Where the entrypoint cannot do that, it is asked by nobody in particular.
        """
        told = self.entrypoint.maybe("fetch", "--url", url if "://" in url else f"{self.url}/{url}")
        if told is not None:
            return int(told["status"]), base64.b64decode(told["body"])
        site = Site(self.url)
        try:
            answer = site.get(url)
            return answer.status, answer.body
        finally:
            site.client.close()

    def mirror_of(self, origin: str, tile: str) -> tuple[int, bytes]:
        """Ask it for a tile or bundle of a log that it follows."""
        return self.bytes_at(f"mirror/{hashlib.sha256(origin.encode()).hexdigest()}/{tile}")


@dataclass
class Pair:
    """The two nodes; each is running, and follows the other, before and after every case."""

    a: Node
    b: Node

    @property
    def both(self) -> tuple[Node, Node]:
        """Both of them."""
        return self.a, self.b

    def converge(self) -> None:
        """Let each read the other, and see that they tell the same digest; where they do not, of whom is said."""
        for node in self.both:
            node.pull()
        members = [node.member for node in self.both]
        if len(set(self._digests(members).values())) > 1:
            told = {" and ".join(of): self._digests(of) for of in ([members[0]], [members[1]], members)}
            raise AssertionError(f"they tell different digests: {told}")

    def _digests(self, members: list[str]) -> dict[str, str]:
        return {node.member: node.digest(*members) for node in self.both}

    def holds(self, of: Node, *claims: Claim) -> None:
        """See that both nodes claim these signals for one of them."""
        for node in self.both:
            missing = set(claims) - node.export().signals(of.member)
            assert not missing, f"{node.member} does not hold what {of.member} lists: {missing}"

    def lacks(self, of: Node, *claims: Claim) -> None:
        """See that no node claims these signals for one of them."""
        for node in self.both:
            left = set(claims) & node.export().signals(of.member)
            assert not left, f"{node.member} still holds what {of.member} does not list: {left}"
