"""What judging costs: all signals anew under policies that ask for more and less, and one new statement.

The signals are merged in batches as a first synchronisation does it, so that those of one listing lie apart. One
thread, SQLite.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

from databases import SqliteFiles, opened
from hashpact_node.services.judging_anew import Rejudger, try_policy
from hashpact_node.services.policies import Policies
from hashpact_node.store.database import Database
from hashpact_protocol.policy_file import read_policy
from hashpact_protocol.policy_form import DEFAULT_POLICY
from hashpact_protocol.statements import Listing
from members import NOW, TIME, TestLog, add_log, listing, sha256, uuid_of

BATCH = 40_000
ONE_BY_ONE = 60
LABELS = ("behaviour:glorification", "behaviour:instruction", "producer:lone-actor", "producer:supporter")
ASKS_LABELS = """
otherwise = "review"
[[rule]]
name = "instruction-of-one"
when = { labels = ["behaviour:instruction"], without_labels = ["producer:supporter"], newer_than_days = 3650 }
then = "block"
[[rule]]
name = "two-agree"
when = { members = 2 }
then = "block"
[[rule]]
name = "one-member"
then = "review"
"""
ASKS_LITTLE = "[[rule]]\nname = 'members-agree'\nwhen = { members = 2 }\nthen = 'block'\n"
ASKS_LITTLE += "[[rule]]\nname = 'one-member'\nthen = 'review'\n"
NAMES = ("anew.default", "anew.little", "anew.labels", "try.labels", "switch.labels", "one.default", "one.labels")


def judging_times(folder: Path, signals: int) -> dict[str, float]:
    """Give seconds for all ``signals``, and milliseconds (the median) for one new statement (``one.…``).

    ``anew``: nothing differs in the end. ``switch``: a policy begins to hold under which a third changes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with opened(SqliteFiles(folder).url(folder)) as database:
        add_log(database, "acme", own=True)
        beta = add_log(database, "beta")
        for batch in _batches(signals // 2):
            beta.append(*batch)
        rejudger = Rejudger(database, lambda: NOW)
        policies = Policies(database, folder / "policy.toml", rejudger, lambda: NOW)
        found = {"anew.default": _seconds(rejudger.all_anew), "one.default": _one(database, beta, 1)}
        policies.path.write_text(ASKS_LITTLE)
        policies.reload()
        found["anew.little"] = _seconds(rejudger.run)
        found["try.labels"] = _seconds(lambda: try_policy(database, read_policy(ASKS_LABELS), NOW))
        policies.path.write_text(ASKS_LABELS)
        policies.reload()
        found["switch.labels"] = _seconds(rejudger.run)
        found["anew.labels"] = _seconds(rejudger.all_anew)
        found["one.labels"] = _one(database, beta, 2)
        if try_policy(database, DEFAULT_POLICY, NOW).signals < signals:
            raise RuntimeError("not all signals were merged")
    return found


def _batches(count: int) -> Iterator[list[Listing]]:
    chance = random.Random(7)
    for first in range(0, count, BATCH):
        yield [_listing(number, chance) for number in range(first, min(first + BATCH, count))]


def _listing(number: int, chance: random.Random) -> Listing:
    signals = (sha256(chance.getrandbits(256)), sha256(chance.getrandbits(256)))
    day = (NOW - timedelta(days=chance.randrange(365))).date().isoformat()
    labels = tuple(chance.sample(LABELS, 2))
    return Listing(uuid_of(number), day + TIME[10:], "image", signals, labels, confirmed="human")


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _one(database: Database, log: TestLog, run: int) -> float:
    """Give the median milliseconds of one statement of a new hash: read, stored, merged, judged, committed."""
    del database
    first = 2**40 * run
    times = [
        _seconds(lambda number=number: log.append(listing(number, sha256(number), labels=LABELS)))  # type: ignore[misc]  # a default keeps the number
        for number in range(first, first + ONE_BY_ONE)
    ]
    return statistics.median(times) * 1_000
