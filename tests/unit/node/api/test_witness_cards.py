from __future__ import annotations

import hashlib

from own_member import NOW
from publisher import Publisher
from serving import Served


def test_the_cards_in_force_are_shown_with_what_proves_them(served: Served, beta: Publisher) -> None:
    served.node.peering.add("beta", beta.url, fingerprint=beta.fingerprint)
    answer = served.get("/witness/cards")
    assert answer.headers["cache-control"] == "private, no-cache"
    own, theirs = answer.json()["cards"]
    assert (own["member"], theirs["member"], theirs["url"]) == ("acme", "beta", beta.url)
    assert theirs["version"] == beta.card_version == int(NOW.timestamp())
    targets = served.get(f"/witness/cards/beta/{theirs['version']}")
    assert targets.content == beta.files["metadata", f"{beta.card_version}.targets.json"]
    assert hashlib.sha256(targets.content).hexdigest() == theirs["sha256"]
    assert targets.headers["cache-control"] == "private, no-cache"
    assert served.get(f"/witness/cards/acme/{own['version']}").status_code == 200
    card = served.get(f"/witness/cards/beta/{theirs['version']}/card")
    assert card.content == beta.card()
    assert card.headers["cache-control"] == "private, no-cache"
    assert served.get(f"/witness/cards/beta/roots/{theirs['root']}").content == beta.root_file
    assert theirs["root"] == 1


def test_what_is_not_in_force_is_not_there(sqlite_served: Served) -> None:
    for path in ("beta/1", "acme/1"):
        assert sqlite_served.get(f"/witness/cards/{path}").status_code == 404
        assert sqlite_served.get(f"/witness/cards/{path}/card").status_code == 404
    assert sqlite_served.get("/witness/cards/acme/roots/1").status_code == 200
    for path in ("beta/roots/1", "acme/roots/2"):
        assert sqlite_served.get(f"/witness/cards/{path}").status_code == 404
    for path in ("acme/0", "acme/x", f"acme/{2**64}"):
        assert sqlite_served.get(f"/witness/cards/{path}").status_code == 422
        assert sqlite_served.get(f"/witness/cards/{path}/card").status_code == 422


def test_a_removed_member_is_shown_no_more(sqlite_served: Served, beta: Publisher) -> None:
    sqlite_served.node.peering.add("beta", beta.url, fingerprint=beta.fingerprint)
    sqlite_served.node.peering.remove("beta")
    assert [card["member"] for card in sqlite_served.get("/witness/cards").json()["cards"]] == ["acme"]
    for path in (beta.card_version, f"{beta.card_version}/card", "roots/1"):
        assert sqlite_served.get(f"/witness/cards/beta/{path}").status_code == 404
