"""The step of ``hashpact demo`` in which a publisher's log is damaged: refused with the reason, and taken up mended."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from hashpact_node.assembly import open_settings
from hashpact_node.cli.demo_cast import Cast, listing_of
from hashpact_node.cli.demo_nodes import DemoNode
from hashpact_node.cli.demo_questions import digest, held, is_listed, match, pulls, verdicts
from hashpact_node.cli.demo_stage import Stage
from hashpact_node.cli.demo_steps import LOG_PATH
from hashpact_node.services.batches import compress
from hashpact_node.services.entries import open_bundle
from hashpact_node.store.bundles import Bundle, put_bundles, read_bundle
from hashpact_node.store.database import Database, open_database
from hashpact_node.store.logs import find_log
from hashpact_protocol.errors import NotFoundError
from hashpact_protocol.limits import LIMITS
from hashpact_protocol.tiles import decode_bundle, encode_bundle

REFUSED: Final = "entries-mismatch"


@dataclass(frozen=True, slots=True)
class Damage:
    """One byte of a stored entry, altered: its offset in the entry, what it was and is, and the bundle as it was."""

    offset: int
    was: str
    now: str
    log: int
    whole: Bundle


def flip_a_byte(stage: Stage, cast: Cast) -> None:
    """Publish while gamma does not look, alter one byte of that, let gamma see it, and mend it."""
    acme, beta, gamma = cast.nodes
    stage.step("One byte is flipped", "acme's database is damaged, or somebody alters it. Would gamma notice?")
    stage.asked("gamma", "POST /v1/peers/acme/pause")
    gamma.post("/v1/peers/acme/pause")
    stage.await_("gamma's schedule leaves acme alone", lambda: sorted(pulls(gamma)), ["beta"])
    size = held(gamma)["acme"]
    stage.asked("acme", "POST /v1/listings", f"the hashes of {cast.late.name}")
    index = acme.post("/v1/listings", listing_of(cast.late))["index"]
    stage.await_("beta has it, by its schedule", lambda: held(beta)["acme"], size + 1)
    stage.expect("gamma, which pauses acme, has not", (held(gamma)["acme"], is_listed(gamma, cast.late)), (size, False))
    before = _list_of(cast)
    damage = damage_entry(acme, index, cast.late.sha256)
    stage.say(
        f"  In acme's database, byte {damage.offset} of entry {index} is now “{damage.now}” and was "
        f"“{damage.was}”: a digit of the SHA-256."
    )
    _refuse(stage, cast, damage, before)
    mend_entry(acme, damage)
    stage.say("  The byte is put right again.")
    recovered = {"pull": "ok", "held": size + 1, "failures": 0, "alarms": []}
    stage.await_("gamma takes acme up again by itself", lambda: _recovery(gamma), recovered)
    review = ("review", "one-member", ("acme",))
    stage.expect(f"and has {cast.late.name} at review", verdicts(gamma, cast.late), [review] * 2)


def damage_entry(node: DemoNode, index: int, value: str) -> Damage:
    """Alter the first digit of a hash in an entry of a node's own log, as it is stored; the entry keeps its form.

    Raises NotFoundError when the entry does not hold the hash.
    """
    number, place = divmod(index, LIMITS.bundle_width)
    with _opened(node) as database, database.write() as connection:
        log = find_log(connection, node.url.removeprefix("http://") + LOG_PATH)
        whole = None if log is None else read_bundle(connection, log.number, number)
        if log is None or whole is None:
            raise NotFoundError("the entry is not in the database", where=str(node.home))
        entries = decode_bundle(open_bundle(whole.data), whole.width)
        offset = entries[place].find(value.encode())
        if offset < 0:
            raise NotFoundError(f"entry {index} does not hold {value}", where=str(node.home))
        now = f"{int(value[0], 16) ^ 1:x}"
        entries[place] = entries[place][:offset] + now.encode() + entries[place][offset + 1 :]
        altered = dataclasses.replace(whole, data=compress(encode_bundle(entries)))
        put_bundles(connection, log.number, [altered])
    return Damage(offset, value[0], now, log.number, whole)


def mend_entry(node: DemoNode, damage: Damage) -> None:
    """Store the bundle as it was."""
    with _opened(node) as database, database.write() as connection:
        put_bundles(connection, damage.log, [damage.whole])


@contextmanager
def _opened(node: DemoNode) -> Iterator[Database]:
    database = open_database(open_settings(node.home, node.environment).database_url)
    try:
        yield database
    finally:
        database.dispose()


def _refuse(stage: Stage, cast: Cast, damage: Damage, before: dict[str, Any]) -> None:
    """Let gamma pull what is damaged, and see that it takes nothing of it and loses nothing by it."""
    gamma = cast.gamma
    stage.asked("gamma", "POST /v1/peers/acme/resume")
    gamma.post("/v1/peers/acme/resume")
    stage.await_("gamma pulls, by its schedule, and refuses", lambda: _trouble(gamma).get("code"), REFUSED)
    trouble = _trouble(gamma)
    rows = [(name, trouble[name]) for name in ("code", "what", "where", "mend") if trouble.get(name)]
    stage.table(("acme at gamma", ""), *rows)
    stage.expect("gamma's list stays whole: its digest, its counts, its matches", _list_of(cast), before)
    altered = damage.now + cast.late.sha256[1:]
    stage.expect("the altered hash is not in it", match(gamma, ("sha256", altered))[0]["hits"], [])
    stage.expect("its other peer is pulled as ever", gamma.get("/v1/peers/beta")["failures"], 0)


def _list_of(cast: Cast) -> dict[str, Any]:
    """What gamma's list comes to."""
    return {
        "digest": digest(cast.gamma),
        "counts": cast.gamma.get("/v1/status")["blocklist"],
        cast.alone.name: verdicts(cast.gamma, cast.alone),
    }


def _trouble(gamma: DemoNode) -> dict[str, Any]:
    return gamma.get("/v1/peers/acme")["last_error"] or {}


def _recovery(gamma: DemoNode) -> dict[str, Any]:
    """How gamma stands with acme."""
    peer = gamma.get("/v1/peers/acme")
    return {
        "pull": pulls(gamma).get("acme"),
        "held": held(gamma)["acme"],
        "failures": peer["failures"],
        "alarms": [alarm["what"] for alarm in peer["alarms"]],
    }
