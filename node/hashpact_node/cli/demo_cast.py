"""Who plays in ``hashpact demo``, and which picture has which part."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from hashpact_node.cli.demo_nodes import DemoNode
from hashpact_node.cli.demo_pictures import Picture

MEMBERS: Final = ("acme", "beta", "gamma")
LABEL: Final = "behaviour:glorification"


@dataclass(slots=True)
class Cast:
    """Three nodes, and at least three pictures that differ; ``stranger`` is one more, which nobody lists.

    Copies of pictures go to ``folder``. ``listings`` are the ids that acme's listings got, by SHA-256.
    """

    acme: DemoNode
    beta: DemoNode
    gamma: DemoNode
    pictures: list[Picture]
    stranger: Picture
    folder: Path
    listings: dict[str, str] = field(default_factory=dict)

    @property
    def nodes(self) -> tuple[DemoNode, DemoNode, DemoNode]:
        """All nodes."""
        return self.acme, self.beta, self.gamma

    @property
    def shared(self) -> Picture:
        """What acme and beta both list."""
        return self.pictures[0]

    @property
    def alone(self) -> Picture:
        """What acme alone lists."""
        return self.pictures[1]

    @property
    def mistaken(self) -> Picture:
        """What acme lists, and withdraws."""
        return self.pictures[2]

    @property
    def late(self) -> Picture:
        """What acme lists in the end; where there are but three pictures, the one that it withdrew."""
        return self.pictures[min(3, len(self.pictures) - 1)]

    @property
    def lists(self) -> dict[str, list[Picture]]:
        """What each member lists at first."""
        return {
            "acme": [*self.pictures[:3], *self.pictures[5::2]],
            "beta": [self.shared, *self.pictures[4::2]],
            "gamma": [],
        }

    @property
    def sizes(self) -> dict[str, int]:
        """How many each member lists at first."""
        return {member: len(pictures) for member, pictures in self.lists.items()}

    def others(self, node: DemoNode) -> list[DemoNode]:
        """Give all nodes but one."""
        return [other for other in self.nodes if other is not node]


def publication(pictures: Iterable[Picture]) -> tuple[str, ...]:
    """Give the words of the command that publishes pictures."""
    return ("publish", *(str(picture.path) for picture in pictures), "--label", LABEL, "--confirmed", "human")


def shown_publication(pictures: Iterable[Picture]) -> tuple[str, ...]:
    """Give the same words as somebody types them who stands in the folder of the pictures."""
    return ("hashpact", "publish", *(picture.name for picture in pictures), "--label", LABEL, "--confirmed", "human")


def listing_of(picture: Picture) -> dict[str, Any]:
    """Give the body of a request that publishes one picture."""
    signals = [
        {"type": "pdq", "value": picture.pdq, "quality": picture.quality},
        {"type": "sha256", "value": picture.sha256},
    ]
    return {"content": "image", "signals": signals, "labels": [LABEL], "confirmed": "human"}
