"""What a fuzz target is, and where its seeds come from."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hashpact_protocol.notes import VerifierKey
from vectors.signers import LOG, WITNESSES

VECTORS: Final = Path(__file__).parents[1] / "vectors"
KEYS: Final = tuple(VerifierKey.parse(signer.vkey) for signer in (LOG, *WITNESSES))
"""The keys of the vectors: a log's, and three witnesses'."""


@dataclass(frozen=True, slots=True)
class Target:
    """One reader under test: ``check`` takes any bytes and raises nothing; ``seeds`` are bytes worth starting from."""

    name: str
    check: Callable[[bytes], None]
    seeds: Callable[[], Iterator[bytes]]


def files(area: str, *names: str) -> Iterator[bytes]:
    """Give the files of these names of all vectors of an area."""
    for name in names:
        for path in sorted((VECTORS / area).glob(f"*/{name}")):
            yield path.read_bytes()


def texts(area: str, *names: str) -> Iterator[bytes]:
    """Give the fields of these names of all vectors of an area, where they are texts."""
    for path in sorted((VECTORS / area).glob("*/case.json")):
        facts = json.loads(path.read_bytes())
        found = (facts[name] for name in names if isinstance(facts.get(name), str))
        yield from (text.encode(errors="surrogatepass") for text in found)
