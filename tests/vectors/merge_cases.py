"""The cases of merging and of the digest. What lives and what is quarantined is written by hand, each with its case."""

from __future__ import annotations

from vectors.merge_material import (
    BETA_LISTINGS,
    CRISIS,
    LISTINGS,
    LISTINGS_2,
    LISTINGS_3,
    OPINIONS,
    Case,
    incident,
    listing,
    opinion,
    pdq,
    sha256,
    unknown,
    withdrawal,
)

MALFORMED = "statement-malformed"
REUSED = "id-reused"
BAD_SIGNAL = {"type": "sha256", "value": "no hex"}

MERGE = [
    Case("listing", "A listing with two signals.", live=[(LISTINGS, 0)]).log(LISTINGS, listing(1, sha256(1), pdq(2))),
    Case("restated", "Restated under its id, the last wins.", live=[(LISTINGS, 2)]).log(
        LISTINGS, listing(1, sha256(1), sha256(2)), listing(1, sha256(2)), listing(1, sha256(2), sha256(3))
    ),
    Case("restated-in-a-later-log", "Logs of one name follow each other.", live=[(LISTINGS, 1), (LISTINGS_2, 0)])
    .log(LISTINGS, listing(1, sha256(1)), listing(2, sha256(2)))
    .log(LISTINGS_2, listing(1, sha256(3))),
    Case("withdrawn", "A withdrawal ends its listing.", live=[(LISTINGS, 1)]).log(
        LISTINGS, listing(1, sha256(1)), listing(2, sha256(1)), withdrawal(3, of=1)
    ),
    Case("withdrawn-in-a-later-log", "A withdrawal reaches earlier logs of its name.")
    .log(LISTINGS, listing(1, sha256(1)))
    .log(LISTINGS_2, withdrawal(2, of=1)),
    Case("withdrawn-before", "A withdrawal before its listing has no effect.", live=[(LISTINGS, 1)]).log(
        LISTINGS, withdrawal(2, of=1), listing(1, sha256(1))
    ),
    Case("withdrawn-of-nothing", "A withdrawal of one not there has no effect.").log(LISTINGS, withdrawal(2, of=1)),
    Case("withdrawn-twice", "A withdrawal may repeat, under its own id and another's.").log(
        LISTINGS, listing(1, sha256(1)), withdrawal(2, of=1), withdrawal(2, of=1), withdrawal(3, of=1)
    ),
    Case("withdrawn-after-restated", "A withdrawal ends the listing, whichever revision stands.").log(
        LISTINGS, listing(1, sha256(1)), listing(1, sha256(2)), withdrawal(2, of=1)
    ),
    Case("listed-again", "Listed again after a withdrawal.", live=[(LISTINGS, 2)]).log(
        LISTINGS, listing(1, sha256(1)), withdrawal(2, of=1), listing(1, sha256(2))
    ),
    Case("withdrawn-again", "The same withdrawal ends it again after it was listed again.").log(
        LISTINGS, listing(1, sha256(1)), withdrawal(2, of=1), listing(1, sha256(1)), withdrawal(2, of=1)
    ),
    Case("withdrawn-by-another", "Nobody withdraws another's listing.", live=[(LISTINGS, 0)])
    .log(LISTINGS, listing(1, sha256(1)))
    .log(BETA_LISTINGS, withdrawal(2, of=1)),
    Case("withdrawn-under-another-name", "Nor its own under another name.", live=[(LISTINGS, 0)])
    .log(LISTINGS, listing(1, sha256(1)))
    .log(CRISIS, withdrawal(2, of=1)),
    Case("same-id-under-another-name", "It is another listing.", live=[(LISTINGS, 0), (CRISIS, 0)])
    .log(LISTINGS, listing(1, sha256(1)))
    .log(CRISIS, listing(1, sha256(2))),
    Case("same-id-of-another-member", "It is another listing.", live=[(LISTINGS, 0), (BETA_LISTINGS, 0)])
    .log(LISTINGS, listing(1, sha256(1)))
    .log(BETA_LISTINGS, listing(1, sha256(1))),
    Case(
        "id-reused-by-withdrawal",
        "A withdrawal under a listing's id is quarantined, and withdraws nothing.",
        live=[(LISTINGS, 0), (LISTINGS, 1)],
        quarantined=[(LISTINGS, 2, 0, REUSED)],
    ).log(LISTINGS, listing(1, sha256(1)), listing(2, sha256(2)), withdrawal(2, of=1)),
    Case(
        "id-reused-by-listing",
        "A listing under a withdrawal's id is quarantined.",
        quarantined=[(LISTINGS, 1, 0, REUSED)],
    ).log(LISTINGS, withdrawal(2, of=1), listing(2, sha256(2))),
    Case(
        "id-reused-of-withdrawn",
        "A withdrawn listing still owns its id.",
        quarantined=[(LISTINGS, 2, 0, REUSED)],
    ).log(LISTINGS, listing(1, sha256(1)), withdrawal(2, of=1), withdrawal(1, of=2)),
    Case(
        "id-reused-in-a-later-log",
        "An id belongs to a kind within a name, across its logs.",
        live=[(LISTINGS, 0)],
        quarantined=[(LISTINGS_2, 0, 0, REUSED)],
    )
    .log(LISTINGS, listing(1, sha256(1)))
    .log(LISTINGS_2, withdrawal(1, of=1)),
    Case(
        "id-reused-by-incident",
        "Incidents own ids too.",
        live=[(CRISIS, 2)],
        quarantined=[(CRISIS, 1, 0, REUSED)],
    ).log(CRISIS, incident(1), listing(1, sha256(1)), listing(2, sha256(1))),
    Case("opinions", "Opinions may repeat, and claim nothing.").log(OPINIONS, opinion(1), opinion(1), opinion(2)),
    Case(
        "quarantined-owns-nothing",
        "The id of a quarantined entry is free.",
        live=[(LISTINGS, 1)],
        quarantined=[(LISTINGS, 0, 0, MALFORMED), (LISTINGS, 2, 0, MALFORMED)],
    ).log(LISTINGS, {**withdrawal(1, of=2), "time": "soon"}, listing(1, sha256(1)), "no JSON"),
    Case(
        "wrong-kind-of-log-owns-nothing",
        "An opinion in a log of listings is quarantined, and its id is free.",
        live=[(LISTINGS, 1)],
        quarantined=[(LISTINGS, 0, 0, MALFORMED)],
    ).log(LISTINGS, opinion(1), listing(1, sha256(1))),
    Case("unknown-kind", "It is counted, and owns nothing.", live=[(LISTINGS, 1)], unknown={LISTINGS: 2}).log(
        LISTINGS, unknown(1), listing(1, sha256(1)), unknown(1)
    ),
    Case(
        "critical",
        "It stops its log, there and for good; only that log.",
        live=[(LISTINGS, 0), (LISTINGS_2, 0)],
        unknown={LISTINGS: 1},
        stopped={LISTINGS: 1},
    )
    .log(
        LISTINGS,
        listing(1, sha256(1)),
        unknown(2, critical=True),
        withdrawal(3, of=1),
        "no JSON",
        unknown(2),
        listing(4, sha256(4)),
    )
    .log(LISTINGS_2, listing(3, sha256(3))),
    Case("critical-is-true-or-nothing", "Not 1.", live=[(LISTINGS, 1)], unknown={LISTINGS: 1}).log(
        LISTINGS, {**unknown(2), "critical": 1}, listing(1, sha256(1))
    ),
    Case("critical-on-a-known-kind", "It means nothing there.", live=[(LISTINGS, 0), (LISTINGS, 1)]).log(
        LISTINGS, {**listing(1, sha256(1)), "critical": True}, listing(2, sha256(2))
    ),
    Case(
        "dropped-signals",
        "A malformed signal is dropped; the listing stands, if need be without claims.",
        live=[(LISTINGS, 0), (LISTINGS, 1)],
        quarantined=[
            (LISTINGS, 0, 1, "signal-malformed"),
            (LISTINGS, 0, 2, "signal-malformed"),
            (LISTINGS, 1, 1, "signal-malformed"),
        ],
        sound={(LISTINGS, 0): [sha256(1)], (LISTINGS, 1): []},
    ).log(LISTINGS, listing(1, BAD_SIGNAL, sha256(1), BAD_SIGNAL), listing(2, BAD_SIGNAL)),
    Case(
        "restated-without-claims",
        "A revision whose signals are all malformed wins all the same.",
        live=[(LISTINGS, 1)],
        quarantined=[(LISTINGS, 1, 1, "signal-malformed")],
        sound={(LISTINGS, 1): []},
    ).log(LISTINGS, listing(1, sha256(1)), listing(1, BAD_SIGNAL)),
    Case(
        "highest-quality",
        "The same signal twice counts once, with its highest quality; low ones are claims too.",
        live=[(LISTINGS, 0), (LISTINGS, 1)],
        sound={(LISTINGS, 0): [pdq(1, 90)], (LISTINGS, 1): [pdq(1, 10)]},
    ).log(LISTINGS, listing(1, pdq(1, 20), pdq(1, 90), pdq(1, 49)), listing(2, pdq(1, 10))),
    Case(
        "unknown-signal-and-blob",
        "Claims of an unknown type, and of a blob by its hash.",
        live=[(LISTINGS, 0)],
    ).log(
        LISTINGS,
        listing(1, {"type": "waveprint", "value": "x/1"}, {"type": "vpdq", "sha256": sha256(5)["value"], "length": 9}),
    ),
    Case("fresh-successor", "It replaces the logs before it, once it is held so far.", live=[(LISTINGS_3, 0)])
    .log(LISTINGS, listing(1, sha256(1)), listing(2, sha256(2)))
    .log(LISTINGS_2, listing(3, sha256(3)))
    .log(LISTINGS_3, listing(1, sha256(1)), fresh=1),
    Case("fresh-successor-not-held", "Until then they count together.", live=[(LISTINGS, 1), (LISTINGS_2, 0)])
    .log(LISTINGS, listing(1, sha256(1)), listing(2, sha256(2)))
    .log(LISTINGS_2, listing(1, sha256(1)), fresh=2),
    Case("fresh-successor-frees-ids", "What counts no more owns no ids.", live=[(LISTINGS_2, 1)])
    .log(LISTINGS, withdrawal(1, of=2))
    .log(LISTINGS_2, listing(2, sha256(2)), listing(1, sha256(1)), withdrawal(3, of=2), fresh=1),
]

DIGEST = [
    Case("nothing", "No logs at all."),
    Case("empty-log", "A log of size 0 has its line.").log(LISTINGS),
    Case("one-log", "One log, one listing.", live=[(LISTINGS, 0)]).log(LISTINGS, listing(1, sha256(1))),
    Case(
        "claims-sorted",
        "Claims by the bytes of their lines: the type before the value, digits before letters.",
        live=[(LISTINGS, 0)],
    ).log(
        LISTINGS,
        listing(
            1,
            sha256(2),
            sha256(1),
            pdq(3),
            {"type": "sha1", "value": "0" * 40},
            {"type": "sha", "value": "z"},
            {"type": "sha_1", "value": "z"},
            {"type": "sha", "value": "z!"},
        ),
    ),
    Case(
        "origins-sorted",
        "Logs by the bytes of their origins, in whatever order they were read.",
        live=[(BETA_LISTINGS, 0), (LISTINGS, 0), (CRISIS, 0)],
    )
    .log(BETA_LISTINGS, listing(1, sha256(1)))
    .log(LISTINGS, listing(1, sha256(1)))
    .log(CRISIS, listing(2, sha256(1))),
    Case("opinions-and-incidents", "Logs without listings have their line.")
    .log(OPINIONS, opinion(1))
    .log(CRISIS, incident(1)),
    Case("winning-log", "A listing stands under the log of its winning entry.", live=[(LISTINGS, 1), (LISTINGS_2, 0)])
    .log(LISTINGS, listing(1, sha256(1)), listing(2, sha256(2)))
    .log(LISTINGS_2, listing(1, sha256(3))),
    Case("no-claims", "A live listing without claims has its line.", live=[(LISTINGS, 0)], sound={(LISTINGS, 0): []})
    .log(LISTINGS, listing(1, BAD_SIGNAL))
    .has((LISTINGS, 0, 1, "signal-malformed")),
    Case(
        "critical",
        "Size and root are those of the prefix before the critical entry.",
        live=[(LISTINGS, 0)],
        unknown={LISTINGS: 1},
        stopped={LISTINGS: 1},
    ).log(LISTINGS, listing(1, sha256(1)), unknown(2, critical=True), listing(3, sha256(3))),
    Case(
        "quarantined-counts-in-the-tree",
        "An entry that is quarantined is in the root, and has no line.",
        live=[(LISTINGS, 1)],
        quarantined=[(LISTINGS, 0, 0, MALFORMED)],
    ).log(LISTINGS, "no JSON", listing(1, sha256(1))),
    Case(
        "audience-stays-out",
        "A log whose name is not its kind stays out.",
        live=[(LISTINGS, 0), (LISTINGS_3, 0)],
        left_out=[LISTINGS_3],
    )
    .log(LISTINGS, listing(1, sha256(1)))
    .log(LISTINGS_3, listing(1, sha256(2)), name="listings-few"),
    Case(
        "fresh-successor",
        "It replaces the logs before it, once it is held so far.",
        live=[(LISTINGS_3, 0)],
        left_out=[LISTINGS, LISTINGS_2],
    )
    .log(LISTINGS, listing(1, sha256(1)), listing(2, sha256(2)))
    .log(LISTINGS_2, listing(3, sha256(3)))
    .log(LISTINGS_3, listing(1, sha256(1)), fresh=1),
    Case("fresh-successor-not-held", "Until then they count together.", live=[(LISTINGS, 1), (LISTINGS_2, 0)])
    .log(LISTINGS, listing(1, sha256(1)), listing(2, sha256(2)))
    .log(LISTINGS_2, listing(1, sha256(1)), fresh=2),
]
