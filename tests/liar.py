"""A publisher that lies, request by request, as it is told beforehand; honest again once it has told its lies.

Its entries tell stories: each is a number, and what it says from which entry on. Two stories share the entries before
the place where the later one was forked off.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hashpact_protocol.merkle import leaf_hash, split_hashes
from hashpact_protocol.signals import Signal
from hashpact_protocol.statements import encode_statement
from hashpact_protocol.tiles import encode_bundle, encode_tile, parse_path
from members import listing, sha256
from publisher import Alter, Asked, Publisher, Reply, flipped, gone, login_page, says

EVERY = 8
"""Each so manieth entry is a listing; the others are of a kind that nobody knows, which is cheap to merge."""

FORGED = sha256(999_999_999)
"""A signal that no story claims: it stands only in entries that were never signed."""

Lie = tuple[str, int]
"""What is said instead of the truth, and a number that decides how."""

_STRANGER = Ed25519PrivateKey.generate()


def signal_of(story: int, index: int) -> Signal:
    """Give the signal that the listing at ``index`` of a story claims."""
    return sha256(story * 1_000_000 + index)


def entry_of(story: int, index: int) -> bytes:
    """Give the entry that a story has at ``index``."""
    if index % EVERY == 0:
        return encode_statement(listing(story * 1_000_000 + index, signal_of(story, index)))
    return b'{"kind":"poem","n":%d,"story":%d}' % (index, story)


ALTERATIONS: dict[str, Alter] = {
    "not-found": gone,
    "gone": says(b"", 410),
    "broken": says(b"no", 500),
    "not-modified": says(b"", 304),
    "elsewhere": says(b"", 302, Location="http://127.0.0.1:9/"),
    "login": login_page,
    "nothing": says(b""),
    "noise": says(b"\xff" * 100),
    "flipped": flipped,
    "flipped-early": lambda honest: replace(honest, body=honest.body[:40] + b"\x00" + honest.body[41:]),
    "shorter": lambda honest: replace(honest, body=honest.body[:-1]),
    "longer": lambda honest: replace(honest, body=honest.body + b"\x00\x00"),
    "cut": lambda honest: replace(honest, cut=len(honest.body) // 2),
    "other-encoding": lambda honest: replace(honest, headers={"Content-Encoding": "zstd"}),
}
"""Lies about any answer."""

NOTES: dict[str, Callable[[Liar, int], bytes]] = {
    "same-size-other-root": lambda liar, _: liar.note(root=bytes(32)),
    "smaller-other-root": lambda liar, at: liar.note(size=at % (liar.log.size or 1), root=b"\x01" * 32),
    "smaller": lambda liar, at: liar.note(size=at % (liar.log.size or 1)),
    "larger-inconsistent": lambda liar, at: liar.note(size=liar.log.size + 1 + at, root=bytes(32)),
    "huge": lambda liar, _: liar.note(size=2**33, root=bytes(32)),
    "stranger": lambda liar, _: liar.note(keys=[_STRANGER]),
    "unsigned": lambda liar, _: liar.note(keys=[]),
    "other-origin": lambda liar, _: liar.note(origin=f"{liar.prefix}/logs/listings-2"),
    "replayed": lambda liar, at: liar.notes[at % len(liar.notes)] if liar.notes else b"",
}
"""Lies about the checkpoint, with what each makes of the liar and of a number."""

FORGED_ENTRIES = "forged"
"""The lie that goes deepest: a bundle or tile of the right form and width, over entries that were never signed."""

ABOUT_CHECKPOINTS = (*ALTERATIONS, *NOTES)
ABOUT_DATA = (*ALTERATIONS, FORGED_ENTRIES)


class Liar(Publisher):
    """Tells one story, has others at hand, and lies about its next answers as the two plans say."""

    def __init__(self) -> None:
        super().__init__()
        self.stories: list[list[bytes]] = [[]]
        self.forks: list[tuple[int, int]] = [(0, 0)]
        """Of each story: the one that it was forked off, and where."""
        self.story = 0
        self.notes: list[bytes] = []
        self.about_checkpoints: deque[Lie | None] = deque()
        self.about_data: deque[Lie | None] = deque()

    def grow(self, count: int) -> None:
        """Go on with the story that is told."""
        entries = self.stories[self.story]
        entries += [entry_of(self.story, index) for index in range(len(entries), len(entries) + count)]
        self.log.tell(entries)

    def fork(self, at: int, count: int) -> None:
        """Tell another story from entry ``at`` on, ``count`` entries long from there."""
        at = min(at, len(self.stories[self.story]))
        self.stories.append(self.stories[self.story][:at])
        self.forks.append((self.story, at))
        self.tell(len(self.stories) - 1)
        self.grow(count)

    def tell(self, story: int) -> None:
        """Tell this story from now on."""
        self.story = story
        self.log.tell(self.stories[story])

    def signals(self, story: int, size: int) -> set[bytes]:
        """Give the keys of all signals that the first entries of a story claim."""
        parent, at = self.forks[story]
        own = {signal_of(story, index).key for index in range(size) if index % EVERY == 0 and index >= at}
        return own if story == parent else own | self.signals(parent, min(at, size))

    def answer(self, asked: Asked) -> Reply:
        """Answer one request, with the next lie about such things if there is one."""
        honest = super().answer(asked)
        checkpoint = asked.path.endswith("/checkpoint")
        if checkpoint and honest.status == HTTPStatus.OK:
            self.notes.append(honest.body)
        plan = self.about_checkpoints if checkpoint else self.about_data
        lie = plan.popleft() if plan else None
        if lie is None:
            return honest
        name, number = lie
        if name in NOTES:
            return Reply(200, NOTES[name](self, number))
        if name == FORGED_ENTRIES:
            return self._forged(asked.path, honest, number)
        return ALTERATIONS[name](honest)

    def _forged(self, path: str, honest: Reply, number: int) -> Reply:
        """Give a bundle or tile whose first entries are right, as many as the number says, and the others forged."""
        place = f"logs/{self.log.slug}/"
        if honest.status != HTTPStatus.OK or not path.startswith(f"{place}tile/"):
            return honest
        tile = parse_path(path.removeprefix(place))
        right = number % tile.width
        if tile.level is None:
            entries = self.log.entries[tile.number * 256 :][: tile.width]
            forged = [encode_statement(listing(10**9 + at, FORGED)) for at in range(right, tile.width)]
            return Reply(200, encode_bundle([*entries[:right], *forged]))
        hashes = split_hashes(self.log.read(tile) or b"")
        return Reply(200, encode_tile([*hashes[:right], *(leaf_hash(b"forged") for _ in hashes[right:])]))
