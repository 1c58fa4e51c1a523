"""Match hashes against the blocklist: equal ones by their key, PDQ within its distance through the index."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from hashpact_node.services.claims_view import ClaimsView, ClaimView
from hashpact_node.services.index_feed import IndexFeed, matchable_claims
from hashpact_node.services.judge import parsed_policy
from hashpact_node.services.packed import SHOWN_MAX, essence
from hashpact_node.services.views import viewpoint
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.feed import Judged, find_judged, log_members
from hashpact_node.store.judging import policy_in_force, rule_names
from hashpact_node.store.local_decisions import signal_decisions
from hashpact_node.store.signals import SignalRow, Viewpoint, rule_of
from hashpact_protocol.claims import CLAIM_BYTES, QUALITY_MIN, publishers
from hashpact_protocol.errors import RequestError, SignalError
from hashpact_protocol.facts import Verdict
from hashpact_protocol.judging import DECIDED_HERE
from hashpact_protocol.policy import Action
from hashpact_protocol.recommendations import Recommendation, recommend
from hashpact_protocol.signals import SIGNAL_TYPES, Comparison, Signal, parse_signal_key, signal_key

if TYPE_CHECKING:
    from hashpact_node.services.hashing import HashedFile

QUERIES_MAX = 1_000
HITS_MAX = 100
BATCH_CLAIMS = 20_000
"""How many claims are read for one batch, beyond one for each hit."""

NO_ACTION = Action.NONE.word
STRENGTH = (Action.BLOCK, Action.REVIEW, Action.OBSERVE, Action.IGNORE)
"""The actions from the strongest to the weakest."""

COMPARED = {
    # Values that are equal are within any distance, so that TLSH is matched as far as it can be without its measure.
    known.name: (Comparison.EXACT if known.comparison is Comparison.TLSH else known.comparison).value
    for known in SIGNAL_TYPES.values()
    if known.comparison in (Comparison.EXACT, Comparison.PDQ, Comparison.TLSH)
}
"""How values of each type are compared here; of other types nothing is ever matched."""

NOBODY = 0
"""The local number of no member."""

_Said = tuple[str, str, tuple[str, ...]]

_PDQ = SIGNAL_TYPES["pdq"]
_RANK = {word: rank for rank, word in enumerate([*(action.word for action in STRENGTH), NO_ACTION])}


# The two classes made by the thousand are not frozen: that would make them three times as slow to make.
@dataclass(slots=True)
class Hit:
    """A signal of the blocklist that a query met, ``distance`` bits away from it.

    Only claims of sufficient quality are in it: others are kept, and never matched. ``claims`` are at most 100 of
    ``claims_total``, fewer in a batch that meets very many, ``labels`` are theirs, and ``preserve`` says whether one of
    them asks that the content be preserved. All four are empty where no detail was asked for.
    """

    type: str
    value: str
    distance: int
    action: str
    rule: str
    publishers: tuple[str, ...]
    labels: tuple[str, ...] = ()
    claims_total: int = 0
    claims: tuple[ClaimView, ...] = ()
    preserve: bool = False


@dataclass(slots=True)
class MatchResult:
    """What one query met. ``compared`` is how (``exact``, ``pdq``, or ``none`` for types that are never matched).

    ``action`` is the strongest of all that it met, ``none`` without any. Of more than 100 hits those of the strongest
    actions are given, the nearest of them, and there are ``more``. They come nearest first. ``recommendation`` is what
    the policy says to think of besides, if anything.

    ``decided`` is the rule by which this company has decided about the very signal that was asked, listed or not
    (``allowed-here`` …): then that is the action of whatever it met, and ``hits`` say what others would have it.
    """

    type: str
    value: str
    compared: str
    action: str = NO_ACTION
    hits: tuple[Hit, ...] = ()
    more: bool = False
    recommendation: str | None = None
    decided: str | None = None


@dataclass(frozen=True, slots=True)
class FileMatch:
    """What a file met: the file's own hashes, one result for each, and the strongest action among them.

    What this company has decided about one of its hashes is the action of the file, if it met anything: of several the
    one that is compared exactly, which is about this very file.

    ``recommendation`` is that of the first result that has the strongest action and one.
    """

    file: HashedFile
    action: str
    results: tuple[MatchResult, ...]
    recommendation: str | None = None


@dataclass(slots=True)
class Matcher:
    """Answers lookups; shared by threads. Every batch is answered from one snapshot of the database."""

    database: Database
    index_feed: IndexFeed
    now: Callable[[], datetime]
    recommendations: Callable[[], Sequence[Recommendation]] | None = None
    """Gives what is recommended besides; what the policy in force says where it is left out."""

    def match(
        self, queries: Sequence[tuple[str, str]], *, detail: bool = True, surface: str | None = None
    ) -> list[MatchResult]:
        """Match up to 1 000 signals, given as (type, value); one result for each, in order.

        With ``detail`` every hit says its labels and claims; without, a batch is answered several times as fast.
        ``surface`` is where all of them were met, and what is recommended may depend on it. Raises SignalError that
        names the query that is malformed, RequestError for too many, StoreError.
        """
        if len(queries) > QUERIES_MAX:
            raise RequestError(
                f"at most {QUERIES_MAX} signals are matched at once, not {len(queries)}", mend="ask in smaller batches"
            )
        keys = [_key(at, *query) for at, query in enumerate(queries)]
        with self.database.read() as connection:
            near = self._near(connection, keys)
            wanted = {key for key in keys if key is not None}.union(*near.values())
            found = _Answers(connection, find_judged(connection, sorted(wanted)), self.now())
            results = [found.result(query, key, near) for query, key in zip(queries, keys, strict=True)]
            self._decide(connection, results, keys)
            wanting = found.policy.recommendations if self.recommendations is None else self.recommendations()
            if detail or any(one.labels for one in wanting):
                found.add_details()
        for result in results if wanting else ():
            result.recommendation = _recommended(wanting, result, surface)
        if not detail:
            found.drop_details()
        return results

    def match_file(self, file: HashedFile, *, detail: bool = True, surface: str | None = None) -> FileMatch:
        """Match a file by its hashes: its SHA-256 and, of a picture, its PDQ.

        A PDQ of low quality is near to those of many other pictures, so nothing is looked up by it: its result says
        ``none`` for how it was compared, and ``file.notices`` tells why. Raises StoreError.
        """
        asked = [(signal.type, signal.value) for signal in file.signals if _good(signal)]
        answers = iter(self.match(asked, detail=detail, surface=surface))
        results = tuple(
            next(answers) if _good(signal) else MatchResult(signal.type, signal.value, Comparison.NONE.value)
            for signal in file.signals
        )
        action = _of_file(results)
        recommended = (one.recommendation for one in results if one.action == action and one.recommendation)
        return FileMatch(file, action, results, next(recommended, None))

    def _decide(self, connection: Connection, results: Sequence[MatchResult], keys: Sequence[bytes | None]) -> None:
        """Let this company's decisions about what was asked come before what was met, which may merely lie near."""
        decided = signal_decisions(connection, {key for key in keys if key is not None}, now=self.now())
        for result, key in zip(results, keys, strict=True):
            first = next(iter(decided.get(key, ())), None) if key is not None else None
            if first is None or first.scope is not None:
                continue
            result.decided = DECIDED_HERE[first.verdict]
            if result.hits:
                result.action = (Action.BLOCK if first.verdict is Verdict.CONFIRM else Action.IGNORE).word

    def _near(self, connection: Connection, keys: Sequence[bytes | None]) -> dict[bytes, dict[bytes, int]]:
        """Give the keys near each PDQ hash that is asked for, with their distances, the nearest first."""
        asked = {key for key in keys if key is not None and key[0] == _PDQ.code}
        if not asked:
            return {}
        self.index_feed.refresh_from(connection)
        search = self.index_feed.index.search
        return {key: {hit.key: hit.distance for hit in search(key[1:], _PDQ.threshold)} for key in asked}


def _key(at: int, type_name: str, value: str) -> bytes | None:
    """Give the key of a query, None where its type is never matched; SignalError names the query."""
    try:
        key = signal_key(type_name, value)
    except SignalError as error:
        where = f"queries[{at}].{error.where}" if error.where else f"queries[{at}]"
        raise SignalError(error.what, where=where, mend=error.mend) from None
    return key if type_name in COMPARED else None


def _recommended(wanting: Sequence[Recommendation], result: MatchResult, surface: str | None) -> str | None:
    """Give what is recommended for what a query met: by its action, and the labels of the hits that have it."""
    labels = {label for hit in result.hits if hit.action == result.action for label in hit.labels}
    return recommend(wanting, surface=surface, action=result.action, labels=labels)


def _good(signal: Signal) -> bool:
    return signal.quality is None or signal.quality >= QUALITY_MIN


def _of_file(results: Sequence[MatchResult]) -> str:
    """Give the action of a file by the results of its hashes."""
    action = strongest([result.action for result in results])
    decided = [result for result in results if result.decided is not None]
    if not decided or action == NO_ACTION:
        return action
    about = min(decided, key=lambda result: result.compared != Comparison.EXACT.value)
    return (Action.BLOCK if about.decided == DECIDED_HERE[Verdict.CONFIRM] else Action.IGNORE).word


def strongest(actions: Sequence[str]) -> str:
    """Give the strongest of some actions, ``none`` if there are none."""
    return min(actions, key=_RANK.__getitem__, default=NO_ACTION)


class _Answers:
    """Makes results of claims, at first without a look at entries.

    What claims of the same face say is worked out once.
    """

    def __init__(self, connection: Connection, judged: dict[bytes, Judged], now: datetime) -> None:
        self._connection = connection
        self._hits: dict[bytes, list[Hit]] = {}
        logs = log_members(connection)
        own = next((log.peer for log in logs if log.own), NOBODY)
        self._eyes = Viewpoint({log.log: log.peer for log in logs}, own)
        self._rules = rule_names(connection)
        self._names = {log.peer: log.member for log in logs}
        self._judged = judged
        self._said: dict[tuple[bytes, int, int], _Said | None] = {}
        self.policy = parsed_policy(policy_in_force(connection).text)
        self._afar = viewpoint(connection, now) if self.policy.asks_distance else None

    def result(self, query: tuple[str, str], key: bytes | None, near: dict[bytes, dict[bytes, int]]) -> MatchResult:
        kind, value = query
        if key is None:
            return MatchResult(kind, value, Comparison.NONE.value)
        if key in near:
            return self._near_result(kind, value, near[key])
        judged = self._judged.get(key)
        said = None if judged is None else self._what(judged)
        if said is None:
            return MatchResult(kind, value, COMPARED[kind])
        return MatchResult(kind, value, COMPARED[kind], said[0], (self._hit(key, 0, said),))

    def _near_result(self, kind: str, value: str, distances: dict[bytes, int]) -> MatchResult:
        met: list[tuple[int, int, bytes, _Said]] = []
        found = self._from_afar(distances)
        for key, distance in distances.items():
            judged = found.get(key)
            said = None if judged is None else self._what(judged)
            if said is not None:
                met.append((_RANK[said[0]], distance, key, said))
        # Whoever lists very many hashes near to one takes neither its action away nor what is behind that.
        given = sorted(met)[:HITS_MAX]
        action = given[0][3][0] if given else NO_ACTION
        given.sort(key=lambda one: one[1:3])
        hits = tuple(self._hit(key, distance, said) for _, distance, key, said in given)
        return MatchResult(kind, value, COMPARED[kind], action, hits, more=len(met) > len(hits))

    def _hit(self, key: bytes, distance: int, said: _Said) -> Hit:
        kind, value = parse_signal_key(key)
        hit = Hit(kind, value, distance, *said)
        self._hits.setdefault(key, []).append(hit)
        return hit

    def add_details(self) -> None:
        """Add labels and claims to all hits that were made, read from the entries."""
        if not self._hits:
            return
        rows = [SignalRow(0, key, 0, 0, matchable_claims(self._judged[key].claims)) for key in self._hits]
        most = max(1, min(SHOWN_MAX, BATCH_CLAIMS // len(rows)))
        for row, view in zip(rows, ClaimsView(self._connection).views(rows, most=most), strict=True):
            for hit in self._hits[row.key]:
                hit.labels, hit.claims_total, hit.claims = view.labels, view.claims_total, view.claims
                hit.preserve = view.preserve

    def drop_details(self) -> None:
        """Take labels and claims out again, where they were read for another reason than to be told."""
        for hits in self._hits.values():
            for hit in hits:
                hit.labels, hit.claims_total, hit.claims, hit.preserve = (), 0, (), False

    def _from_afar(self, distances: dict[bytes, int]) -> Mapping[bytes, Judged]:
        """Judge what was met by how far away it is, all of one distance at once, if the policy asks for that."""
        if self._afar is None:
            return self._judged
        found: dict[bytes, Judged] = {}
        for distance in set(distances.values()):
            keys = [key for key, one in distances.items() if one == distance and key in self._judged]
            outcomes = self._afar.judge([(key, self._judged[key].claims) for key in keys], distance=distance)
            for key, outcome in zip(keys, outcomes, strict=True):
                found[key] = Judged(self._judged[key].claims, outcome.action, outcome.rule)
        return found

    def _what(self, judged: Judged) -> _Said | None:
        """Give action, rule and publishers, None where no claim may be matched.

        Publishers follow from the claims' logs and last bytes alone, so that each face is worked out once.
        """
        claims = essence(judged.claims)
        if len(claims) == CLAIM_BYTES:
            face = claims[:3] + claims[-1:]
        else:
            steps = range(0, len(claims), CLAIM_BYTES)
            face = b"".join(claims[at : at + 3] + claims[at + CLAIM_BYTES - 1 : at + CLAIM_BYTES] for at in steps)
        asked = (face, judged.action, judged.rule)
        try:
            return self._said[asked]
        except KeyError:
            said = self._said[asked] = self._say(judged._replace(claims=claims))
            return said

    def _say(self, judged: Judged) -> _Said | None:
        claims = judged.claims
        good = matchable_claims(claims)
        if not good:
            return None
        rule = rule_of(SignalRow(0, b"", judged.action, 0, claims, judged.rule), self._eyes)
        members = (self._names[peer] for peer in publishers(good, self._eyes.members))
        return Action(judged.action).word, self._rules[rule], tuple(sorted(members))
