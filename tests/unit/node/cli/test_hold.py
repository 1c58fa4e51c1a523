"""``hashpact hold``."""

from __future__ import annotations

from commands import Commands
from flooding import count, hold_policy, listings_of
from hashpact_node.store.database import open_database
from hashpact_node.store.holds import NewHold, Notice, add_hold
from members import NOW, add_log, sha256

SIGNAL = f"sha256:{sha256(1).value}"


def test_what_is_held_is_listed_shown_and_released(acme: Commands) -> None:
    assert "nothing is held" in acme("hold", "list").stdout
    database = open_database(f"sqlite:///{acme.home / 'node.sqlite3'}")
    beta = add_log(database, "beta")
    hold_policy(database)
    count(beta, 2, 2, 2)
    beta.append(*listings_of(1, 9))
    with database.write() as connection:
        add_hold(connection, NewHold(1_200, 3, Notice.NONE, key=sha256(1).key), now=NOW)
    database.dispose()
    listed = acme("hold", "list").stdout
    assert "1,200" in listed
    assert "entries 0 to 7" in listed
    shown = acme("hold", "show", "1").stdout
    assert "8 listings in a day, 2 are usual" in shown
    assert "its publisher will be told" in shown
    assert acme.json("hold", "show", "2")["signal"] == SIGNAL
    assert "released: 1" in acme("hold", "release", "1", "--why", "they told us").stdout
    assert acme.json("hold", "release", "2")["state"] == "released"
    assert "they told us" in acme("hold", "show", "1").stdout
    assert acme.json("hold", "list") == {"holds": []}
    assert [one["number"] for one in acme.json("hold", "list", "--all")["holds"]] == [2, 1]
    assert acme.error("hold", "release", "1", code=4)["what"]
    assert "hold list --all" in acme.error("hold", "show", "9", code=3)["mend"]
    assert "hold release" in acme("audit", "show", "--json").stdout
