"""The command protocol: how the suite calls a node under test. docs/conformance.md says it normatively.

``CMD <command> --home DIR [options]``; what it has to tell is JSON on standard output; exit codes are
0 done, 1 refused or failed (and people are told), 2 usage, 3 not supported.
"""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hashpact_conformance.cases import not_supported
from hashpact_conformance.dump import Dump

DONE, REFUSED, USAGE, NOT_SUPPORTED = 0, 1, 2, 3
TIMEOUT_SECONDS = 120.0


class EntrypointError(AssertionError):
    """The entrypoint broke the command protocol: another exit code, no JSON, too slow."""


@dataclass(frozen=True)
class Answer:
    """What a command came to: its exit code (0 or 1), the value on standard output, and what it said on the other."""

    code: int
    value: Any
    said: str

    @property
    def refused(self) -> bool:
        """Whether it refused or failed."""
        return self.code == REFUSED


@dataclass(frozen=True)
class LogState:
    """How far a log is held and accepted; roots are base64 as in checkpoints."""

    held_size: int
    held_root: str
    accepted_size: int
    accepted_root: str


@dataclass(frozen=True)
class Export:
    """What a node holds: logs by origin, claims as (member, type, value), alarms as (member, code), its digest.

    ``malformed`` are quarantined entries as (member, origin, index), None where the node does not tell.
    """

    logs: dict[str, LogState]
    claims: frozenset[tuple[str, str, str]]
    alarms: frozenset[tuple[str, str]]
    digest: str
    malformed: frozenset[tuple[str, str, int]] | None = None

    def signals(self, member: str) -> set[tuple[str, str]]:
        """Give the claims of one member, as (type, value)."""
        return {(kind, value) for who, kind, value in self.claims if who == member}

    def alarmed(self, member: str) -> set[str]:
        """Give the codes of the alarms about one member."""
        return {code for who, code in self.alarms if who == member}


@dataclass
class Entrypoint:
    """A node under test: a command line to call, and the home that all calls of one case share."""

    command: Sequence[str]
    home: Path
    dump: Dump = field(default_factory=lambda: Dump(None))
    timeout_seconds: float = TIMEOUT_SECONDS

    @classmethod
    def parse(cls, text: str, home: Path, dump: Dump | None = None) -> Entrypoint:
        """Read a command line as a shell would, without running one."""
        return cls(shlex.split(text), home, dump or Dump(None))

    def call(self, command: str, *arguments: str) -> Answer:
        """Run one command to its end.

        Ends the case as not supported when it exits with 3; raises EntrypointError when it breaks the protocol.
        """
        done = self._run(command, *arguments)
        if done.returncode == NOT_SUPPORTED:
            not_supported(f"the node does not support `{command}`: {done.stderr.strip()[-300:]}")
        if done.returncode not in {DONE, REFUSED}:
            raise EntrypointError(f"`{command}` ended with {done.returncode}: {done.stderr.strip()[-2_000:]}")
        return Answer(done.returncode, _value(command, done.stdout), done.stderr)

    def maybe(self, command: str, *arguments: str) -> Any:
        """Run a command that a node may lack, and give its value; None where it does."""
        done = self._run(command, *arguments)
        if done.returncode == NOT_SUPPORTED:
            return None
        if done.returncode != DONE:
            raise EntrypointError(f"`{command}` ended with {done.returncode}: {done.stderr.strip()[-2_000:]}")
        return _value(command, done.stdout)

    def _run(self, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one command to its end; raises EntrypointError where it cannot be run, or takes too long."""
        line = [*self.command, command, "--home", str(self.home), *arguments]
        try:
            done = subprocess.run(line, check=False, capture_output=True, text=True, timeout=self.timeout_seconds)
        except subprocess.TimeoutExpired as error:
            raise EntrypointError(f"`{command}` did not end within {self.timeout_seconds:g} s") from error
        except OSError as error:
            raise EntrypointError(f"the entrypoint cannot be run: {error}") from error
        self.dump.keep(
            f"{command}.txt", f"{shlex.join(line)}\n= {done.returncode}\n{done.stdout}\n{done.stderr}".encode()
        )
        return done

    def must(self, command: str, *arguments: str) -> Any:
        """Run a command that has to succeed, and give its value."""
        answer = self.call(command, *arguments)
        if answer.refused:
            raise EntrypointError(f"`{command}` had to succeed: {answer.said.strip()[-2_000:]}")
        return answer.value

    def init(self, member: str, url: str, *, require_witnesses: int = 0) -> Path:
        """Set up a node of this member, and give the file of its root."""
        value = self.must("init", "--member", member, "--url", url, "--require-witnesses", str(require_witnesses))
        return Path(_field(value, "root", str))

    def follow(self, member: str, url: str, root: Path) -> Answer:
        """Add a peer, pinned by this root."""
        return self.call("follow", "--peer", member, "--peer-url", url, "--root", str(root))

    def pull(self) -> Answer:
        """Read all peers once, whatever was planned, and wait for it to end; code 1 if anything was refused."""
        return self.call("pull")

    def export(self) -> Export:
        """Tell what the node holds."""
        return self.read_export(self.must("export"))

    @staticmethod
    def read_export(value: Any) -> Export:
        """Read what `export` told, or `pull` in its place; EntrypointError when it is not of its form."""
        logs = {
            _field(log, "origin", str): LogState(
                _field(log["held"], "size", int),
                _field(log["held"], "root", str),
                _field(log["accepted"], "size", int),
                _field(log["accepted"], "root", str),
            )
            for log in _field(value, "logs", list)
        }
        claims = frozenset((one["member"], one["type"], one["value"]) for one in _field(value, "claims", list))
        alarms = frozenset((one["member"], one["code"]) for one in _field(value, "alarms", list))
        malformed = None
        if "malformed" in value:
            malformed = frozenset((one["member"], one["origin"], one["index"]) for one in value["malformed"])
        return Export(logs, claims, alarms, _field(value, "digest", str), malformed)


def _value(command: str, text: str) -> Any:
    if not text.strip():
        return None
    try:
        return json.loads(text)
    except ValueError as error:
        raise EntrypointError(f"`{command}` wrote something else than JSON on standard output: {text[:300]}") from error


def _field(value: Any, name: str, kind: type[Any]) -> Any:
    found = value.get(name) if isinstance(value, dict) else None
    if not isinstance(found, kind):
        raise EntrypointError(f"what the entrypoint told has no `{name}` that is {kind.__name__}: {str(value)[:300]}")
    return found
