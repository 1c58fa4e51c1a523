"""How many signatures a second a signer gives, one after the other and to eight threads.

Services are left out: what moto does on loopback says nothing about AWS, where a signature takes a round trip.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from hashpact_keys.keystore import KeyStore
from hashpact_keys.kinds import KeyKind
from hashpact_keys.public_keys import generate
from hashpact_keys.signers import open_note_signer, open_trust_signer
from tokens import SoftHsm, keystore_with_pin, why_no_soft_hsm

SIGNATURES: Final = 2_000
THREADS: Final = 8
MESSAGE: Final = b"acme.example/logs/listings-1\n1000000\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
PLACES: Final = ("file", "pkcs11")
NAMES: Final = tuple(
    f"signers.{place}.{kind.value}{threads}" for place in PLACES for kind in KeyKind for threads in ("", ".threads")
)


def signer_rates(folder: Path, say: Callable[[str], None]) -> Iterator[tuple[str, float]]:
    """Give signatures a second by name; ``say`` is told what cannot be measured here."""
    folder.mkdir(parents=True, exist_ok=True)
    keystore = keystore_with_pin(folder)
    for kind in KeyKind:
        yield from _rates("file", f"file:{kind.value}.key", keystore, kind)
    reason = why_no_soft_hsm()
    if reason is not None:
        say(reason)
        return
    hsm = SoftHsm(folder)
    before = os.environ.get("SOFTHSM2_CONF")
    os.environ["SOFTHSM2_CONF"] = str(hsm.configuration)
    try:
        token = hsm.new_token()
        for kind in KeyKind:
            yield from _rates("pkcs11", token.uri(kind.value), keystore, kind)
    finally:
        if before is None:
            del os.environ["SOFTHSM2_CONF"]
        else:
            os.environ["SOFTHSM2_CONF"] = before


def _rates(place: str, uri: str, keystore: KeyStore, kind: KeyKind) -> Iterator[tuple[str, float]]:
    generate(uri, keystore, kind)
    if kind is KeyKind.ED25519:
        sign: Callable[[bytes], object] = open_note_signer(uri, keystore).sign
    else:
        sign = open_trust_signer(uri, keystore).sign
    name = f"signers.{place}.{kind.value}"
    # Of one core: waiting for others on a busy machine is not counted, and neither a file nor SoftHSM2 waits for more.
    start = time.thread_time()
    for _ in range(SIGNATURES):
        sign(MESSAGE)
    yield name, SIGNATURES / (time.thread_time() - start)
    with ThreadPoolExecutor(THREADS) as pool:
        start = time.perf_counter()
        list(pool.map(sign, [MESSAGE] * SIGNATURES))
        yield f"{name}.threads", SIGNATURES / (time.perf_counter() - start)
