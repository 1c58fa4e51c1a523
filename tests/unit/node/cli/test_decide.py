"""``hashpact decide``, ``opinion``, ``disputes``, ``listing withdraw`` and ``listing due``."""

from __future__ import annotations

from pathlib import Path

from commands import Commands, picture
from members import sha256, uuid_of

SIGNAL = f"sha256:{sha256(1).value}"


def test_decisions_are_made_listed_shown_and_undone(acme: Commands) -> None:
    assert "no decisions" in acme("decide", "list").stdout
    made = acme.json("decide", "reject", SIGNAL, "--why", "a news report", "--peer", "beta", "--until", "30d")
    assert made["opinions"] == []
    assert (made["decision"]["verdict"], made["decision"]["scope"]) == ("reject", ["beta"])
    assert "decision 2: confirm" in acme("decide", "confirm", SIGNAL, "--why", "seen by two").stdout
    assert "decision 3: disable" in acme("decide", "disable", SIGNAL, "--until", "12h", "--why", "floods us").stdout
    near = acme("decide", "allow", f"pdq:{'0' * 64}", "--near", "31", "--why", "our logo").stdout
    assert "allow within 31 bits" in near
    listed = acme("decide", "list").stdout
    assert "a news report" in listed
    assert "seen by two" not in listed  # decided anew: disabled, for the same
    shown = acme("decide", "show", "1").stdout
    assert "beta" in shown
    assert made["decision"]["until"] in shown
    assert "undone: 1" in acme("decide", "undo", "1", "--why", "looked again").stdout
    assert "looked again" in acme("decide", "show", "1").stdout
    assert acme.error("decide", "undo", "1", code=4)["what"]
    assert len(acme.json("decide", "list", "--all")["decisions"]) == 4
    assert "decide reject" in acme("audit", "show", "--json").stdout


def test_what_cannot_be_decided_is_said(acme: Commands) -> None:
    for words in (
        ("reject", SIGNAL, "--why", " "),
        ("reject", SIGNAL, "--why", "x", "--until", "soon"),
        ("reject", SIGNAL, "--why", "x", "--until", "2026-13-01T00:00:00Z"),
        ("reject", SIGNAL, "--why", "x", "--reason", "satire"),
        ("reject", SIGNAL, "--why", "x", "--publish"),
        ("allow", SIGNAL, "--why", "x", "--near", "3"),
    ):
        assert acme.error("decide", *words, code=2)["what"]
    assert acme.error("decide", "reject", uuid_of(1), "--why", "x", code=3)["what"]
    assert acme.json("decide", "list") == {"decisions": []}


def test_opinions_need_a_log_and_a_listing_of_another(acme: Commands, tmp_path: Path) -> None:
    acme("publish", str(picture(tmp_path / "a.png", 1)))
    assert "logs open opinions" in acme.error("opinion", "agree", uuid_of(1), code=3)["mend"]
    acme("logs", "open", "opinions")
    assert acme.error("opinion", "disagree", uuid_of(1), "--reason", "satire", code=3)["what"]
    own = acme.json("publish", str(tmp_path / "a.png"))["listings"][0]["id"]
    assert "own listing" in acme.error("opinion", "agree", own, code=2)["what"]
    assert acme.error("opinion", "disagree", own, "--reason", "dislike", code=2)["what"]
    assert "nobody has said anything" in acme("opinion", "show", own).stdout
    assert acme.json("opinion", "show", own) == {"opinions": []}
    assert "no disputes" in acme("disputes", "list").stdout
    assert acme.json("disputes", "list", "--all") == {"disputes": []}
    assert acme.error("disputes", "keep", "7", "--note", "x", code=3)["what"]


def test_many_are_withdrawn_from_a_file(acme: Commands, tmp_path: Path) -> None:
    pictures = [str(picture(tmp_path / f"{number}.png", number)) for number in range(3)]
    told = acme.json("publish", *pictures, "--review-by", "2020-01-01T00:00:00Z")
    ids = [one["id"] for one in told["listings"]]
    due = acme.json("listing", "due")["listings"]
    assert {one["id"] for one in due} == set(ids)
    assert ids[0] in acme("listing", "due", "--within", "30d").stdout
    source = tmp_path / "ids.txt"
    source.write_text("# a wrong batch\n\n" + "\n".join(ids[:2]) + "\n")
    assert "2 listings withdrawn, 0 were already" in acme("listing", "withdraw", "--from", str(source)).stdout
    done = acme.json("listing", "withdraw", *ids, "--reason", "appeal")
    assert (done["withdrawn"], done["already"]) == (1, 2)
    assert "nothing is due" in acme("listing", "due").stdout
    assert acme.error("listing", "withdraw", uuid_of(9), code=3)["what"]
    assert acme.error("listing", "withdraw", "--from", str(tmp_path / "none"), code=2)["where"]
    assert acme.error("listing", "withdraw", code=2)["what"]
