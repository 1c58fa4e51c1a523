"""Draw the picture of an openness report that docs/operations.md shows: made-up members, random hashes, a browser.

``python tests/report_picture.py docs/pictures/report.png`` needs Debian's chromium.
"""

from __future__ import annotations

import random
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from databases import SqliteFiles, opened
from hashpact_node.services.match_tally import MatchTally
from hashpact_node.services.matching import MatchResult
from hashpact_node.services.outcomes import NewOutcome, Outcomes
from hashpact_node.services.report_html import report_html
from hashpact_node.services.reports import Reporter
from hashpact_node.store.database import Database
from hashpact_node.store.outcomes import Counts
from hashpact_protocol.statements import Listing
from members import add_log, pdq, sha256, uuid_of, withdrawal
from own_member import NOW, found_member

MEMBERS = {"beta": 420, "gamma": 260, "delta": 90}
LABELS = ("behaviour:glorification", "behaviour:instruction", "producer:lone-actor", "producer:supporter")
CONTENT = ("image", "image", "image", "video", "text")
DAYS = 120
WITHDRAWN = 0.09
SURFACES = ("upload", "upload", "livestream", "link")
WINDOW = "1280,2400"


def fill(database: Database, chance: random.Random) -> None:
    """Let members have listed and withdrawn for some months, and lookups have met some of it."""
    number, known = 0, sha256(1)
    for member, count in MEMBERS.items():
        log = add_log(database, member)
        log.append(Listing(uuid_of(200_000 + number), "2026-11-20T09:00:00Z", "image", (known,), LABELS[:2]))
        for at in range(number, number + count):
            day = (NOW - timedelta(days=chance.randrange(DAYS))).date()
            signals = (sha256(chance.getrandbits(256)), pdq(chance.getrandbits(256)))
            labels = tuple(chance.sample(LABELS, 2))
            log.append(Listing(uuid_of(at), f"{day}T09:00:00Z", chance.choice(CONTENT), signals, labels))
            if chance.random() < WITHDRAWN:
                log.append(withdrawal(100_000 + at, at, time=f"{day}T15:00:00Z"))
        number += count
    for back in range(DAYS):
        tally = MatchTally(database, lambda back=back: NOW - timedelta(days=back))  # type: ignore[misc]  # its day
        for surface in SURFACES:
            for action, most in (("block", 40), ("review", 20), ("none", 900)):
                tally.add([MatchResult("pdq", "", "pdq", action)] * chance.randrange(most), surface)
        tally.flush()
    told = NewOutcome(f"{known.type}:{known.value}", Counts(5_210, 4_870, 212, 31))
    Outcomes(database, lambda: NOW).add([told], "")


def main() -> None:
    """Draw it into the file that is named."""
    picture = Path(sys.argv[1]).resolve()
    picture.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as name:
        folder = Path(name)
        with opened(SqliteFiles(folder).url(folder)) as database:
            found_member(database, folder / "home", database.where)
            fill(database, random.Random(11))
            report = Reporter(database, 5, lambda: NOW).report(date(2026, 8, 1), NOW.date())
        page = folder / "report.html"
        page.write_text(report_html(report), encoding="utf-8")
        line = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        asked = [f"--window-size={WINDOW}", f"--screenshot={picture}", page.as_uri()]
        subprocess.run([*line, *asked], check=True, timeout=120, cwd=folder)


if __name__ == "__main__":
    main()
