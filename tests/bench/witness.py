"""What an add-checkpoint costs a witness: checks a second of one thread, honest and not, without and with HTTP."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from databases import SqliteFiles, opened
from hashpact_node.net.rates import Budgets
from hashpact_protocol.errors import HashpactError
from hashpact_protocol.merkle import consistency_proof, leaf_hash, subtree_root
from hashpact_protocol.witness import format_add_checkpoint
from members import listing, sha256
from publisher import Publisher
from serving import open_member, serving

ENTRIES = 600
CHECKS = 400
PLENTY = 1e9


def witness_rates(folder: Path) -> dict[str, float]:
    """Give checks a second by kind: ``honest`` ones, each of one entry more, and four that are refused."""
    folder.mkdir(parents=True, exist_ok=True)
    with Publisher("beta") as beta, opened(SqliteFiles(folder).url(folder)) as database:
        beta.log.append(*(listing(number, sha256(number)) for number in range(ENTRIES)))
        beta.log.shown = 1
        node = open_member(database, folder / "home", database.where)
        node.witness.work = Budgets(per_second=PLENTY, burst=PLENTY)
        try:
            node.peering.add(beta.member, beta.url, fingerprint=beta.fingerprint)
            node.puller.pull(beta.member)
            kinds, check = _bodies(beta), node.witness.add_checkpoint
            # Of one core: waiting for the disk, or for others on a busy machine, is not counted.
            rates = {name: _rate(check, bodies, time.thread_time) for name, bodies in kinds.items()}
            with serving(node) as served:
                served.app.state.witness_clients = Budgets(per_second=PLENTY, burst=PLENTY)

                def ask(body: bytes) -> None:
                    served.post("/witness/add-checkpoint", content=body)

                rates |= {f"http.{name}": _rate(ask, kinds[name]) for name in kinds if name != "honest"}
        finally:
            node.close()
    return rates


def _bodies(beta: Publisher) -> dict[str, list[bytes]]:
    """Make what is sent, in the order in which it is sent."""
    leaves = [leaf_hash(entry) for entry in beta.log.entries]

    def body(old: int, size: int, **note: object) -> bytes:
        proof = consistency_proof(old, size, lambda level, n: subtree_root(leaves[n << level : (n + 1) << level]))
        return format_add_checkpoint(old, tuple(proof), beta.note(size=size, **note))  # type: ignore[arg-type]  # as named

    last = CHECKS + 1
    honest = [body(size, size + 1) for size in range(1, last)]
    forged = body(last, last + 1, keys=[Ed25519PrivateKey.generate()])
    unknown = honest[-1].replace(beta.log.origin.encode(), beta.log.origin.encode() + b"0")
    unproven = format_add_checkpoint(last, (bytes(32),) * 8, beta.note(size=last + 9))
    kinds = {"bad_signature": forged, "unknown_origin": unknown, "bad_proof": unproven, "replay": honest[0]}
    return {"honest": honest} | {name: [one] * CHECKS for name, one in kinds.items()}


def _rate(
    check: Callable[[bytes], object], bodies: Iterable[bytes], clock: Callable[[], float] = time.perf_counter
) -> float:
    start, done = clock(), 0
    for body in bodies:
        with suppress(HashpactError):
            check(body)
        done += 1
    return done / (clock() - start)
