from __future__ import annotations

import pytest

from follower import Follower
from hashpact_node.services.shown_cards import ShownCards
from hashpact_protocol.errors import NotFoundError
from publisher import Publisher


def test_only_the_card_in_force_is_shown(follower: Follower, publisher: Publisher) -> None:
    shown = ShownCards(follower.database)
    assert [card.member for card in shown.list()] == ["acme"]
    follower.add(publisher)
    first = publisher.card_version
    assert [(card.member, card.version) for card in shown.list()][1] == ("beta", first)
    publisher.now = follower.clock[0]
    publisher.publish(name="Beta anew")
    follower.later(hours=2)
    follower.pull(publisher)
    assert shown.list()[1].version == publisher.card_version > first
    assert shown.targets("beta", publisher.card_version)
    with pytest.raises(NotFoundError):
        shown.targets("beta", first)
