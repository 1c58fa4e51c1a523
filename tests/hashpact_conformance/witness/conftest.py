"""What the cases of a witness share: the suite's own member with many logs, one for each case."""

from __future__ import annotations

import shlex
import subprocess
import time
from collections.abc import Iterator

import pytest

from hashpact_conformance import clock
from hashpact_conformance.dump import Dump
from hashpact_conformance.plugin import RunOptions
from hashpact_conformance.signing import Credentials
from hashpact_conformance.simulator.member import Member
from hashpact_conformance.simulator.replies import gone
from hashpact_conformance.simulator.server import Server
from hashpact_conformance.witness.asking import Witness
from hashpact_conformance.witness.tree import Tree, request
from hashpact_protocol.errors import HashpactError
from hashpact_protocol.notes import KeyType, VerifierKey

LOGS = 110
FOLLOW_SECONDS = 120
MEMBER = "conformance"
NOT_KNOWN = {401, 404}


@pytest.fixture(scope="session")
def member(options: RunOptions) -> Iterator[Member]:
    """The suite's own member, served on loopback."""
    server = Server(options.targets.get("port") or 0)
    one = Member(MEMBER, server.url, clock.now())
    for number in range(LOGS):
        one.add_log(f"listings-w{number}", name=f"listings-w{number}")
    one.publish()
    one.alter(f"/{one.log.path}/checkpoint", gone)  # so that no witness finds anything to cosign there by itself
    server.answer = one.answer
    yield one
    server.close()


@pytest.fixture(scope="session")
def key(options: RunOptions) -> VerifierKey:
    try:
        found = VerifierKey.parse(options.targets["vkey"])
    except HashpactError as error:
        raise AssertionError(f"--vkey is no verifier key: {error}") from error
    assert found.type is KeyType.COSIGNATURE, "--vkey is no key of cosignatures (type 0x04)"
    return found


@pytest.fixture(scope="session")
def followed(options: RunOptions, member: Member, key: VerifierKey, tmp_path_factory: pytest.TempPathFactory) -> Member:
    """The suite's member once the witness knows its logs."""
    root = tmp_path_factory.mktemp("member") / "root.json"
    root.write_bytes(member.trust.files["metadata/1.root.json"])
    setup: str | None = options.targets.get("setup")
    if setup:
        words = {"{member}": member.id, "{url}": member.url, "{root}": str(root)}
        line = [replaced(word, words) for word in shlex.split(setup)]
        done = subprocess.run(line, check=False, capture_output=True, text=True, timeout=FOLLOW_SECONDS)
        assert done.returncode == 0, f"--setup ended with {done.returncode}: {done.stderr[-1_000:]}"
    else:
        print(f"let the witness follow the member {member.id} at {member.url}, pinned by {root}", flush=True)
    witness = Witness(options.targets["url"].rstrip("/"), key, credentials=credentials_of(member))
    wait_until_known(witness, Tree(member, member.logs[-1]))
    return member


def credentials_of(member: Member) -> Credentials:
    """Give the credentials of the suite's member, by the request key that its card names."""
    return Credentials(member.id, f"{member.id}-request-1", member.request_key.sign)


def replaced(word: str, words: dict[str, str]) -> str:
    """Fill placeholders into one word of a command line."""
    for name, value in words.items():
        word = word.replace(name, value)
    return word


def wait_until_known(witness: Witness, tree: Tree) -> None:
    """Ask until the witness knows the last log of the member's card."""
    deadline = time.monotonic() + FOLLOW_SECONDS
    while (status := witness.add(request(0, [], tree.note(1))).status_code) in NOT_KNOWN:
        assert time.monotonic() < deadline, f"the witness does not follow {tree.member.url}: it answers {status}"
        time.sleep(0.2)
    witness.client.close()


@pytest.fixture
def witness(options: RunOptions, key: VerifierKey, dump: Dump, member: Member) -> Iterator[Witness]:
    """The witness under test, asked by the suite's member."""
    one = Witness(options.targets["url"].rstrip("/"), key, dump, credentials_of(member))
    yield one
    one.client.close()


@pytest.fixture(scope="session")
def unused(followed: Member) -> Iterator[Tree]:
    """Logs of which nothing was cosigned yet."""
    return iter([Tree(followed, log) for log in followed.logs[1:-1]])


@pytest.fixture
def tree(unused: Iterator[Tree]) -> Tree:
    """A log of this case's own."""
    return next(unused)


@pytest.fixture(scope="session")
def silent(followed: Member) -> Tree:
    """A log that the card names, and that shows no checkpoint yet."""
    return Tree(followed, followed.log)


@pytest.fixture
def other(unused: Iterator[Tree]) -> Tree:
    """Another log of this case's own."""
    return next(unused)
