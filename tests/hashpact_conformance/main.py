"""``hashpact-conformance``: the command line of the suite. Nothing here needs pytest until cases are to be run."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

MODES = {
    "publisher": ("check a live node from outside", "publisher --url https://acme.example --root 1.root.json"),
    "reader": ("let a hostile peer loose on a reader", "reader --entrypoint './my-node'"),
    "witness": (
        "check a live witness (C2SP tlog-witness)",
        "witness --url https://acme.example/witness --vkey VKEY --setup 'node peer add {member} {url} --root {root}'",
    ),
    "pair": ("let two nodes follow each other", "pair --a './my-node' --b './their-node'"),
    "vectors": ("run the vectors against hashpact_protocol", "vectors"),
}
PASSPHRASE = "HASHPACT_CONFORMANCE_PASSPHRASE"
EXIT_CODES = """exit codes:
  0  every case that was run passed, failed as expected, or is not supported by the node
  1  at least one case failed, or passed although it was expected to fail
  2  the command, a file or the suite itself is not right; nothing is said about the node
"""


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="hashpact-conformance",
        description="Check whether a node, whoever wrote it, keeps to the Hashpact protocol.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    modes = parser.add_subparsers(dest="mode", required=True, metavar="MODE")
    made = {name: _mode(modes, name, what, example) for name, (what, example) in MODES.items()}
    made["publisher"].add_argument("--url", required=True, help="the member URL of the node")
    made["publisher"].add_argument("--root", required=True, type=Path, help="a root of the member, got on another way")
    made["publisher"].add_argument("--member", help="the member's id; without it, the one that its card tells")
    made["publisher"].add_argument(
        "--as", dest="asks_as", metavar="MEMBER/KEY-ID", help="sign requests as a member that the node knows"
    )
    made["publisher"].add_argument(
        "--key", type=Path, metavar="FILE", help=f"its request key, in OpenSSH's form; passphrase in {PASSPHRASE}"
    )
    made["reader"].add_argument("--entrypoint", required=True, metavar="CMD", help="how the node is called")
    made["witness"].add_argument("--url", required=True, help="the URL below which the witness answers add-checkpoint")
    made["witness"].add_argument("--vkey", required=True, help="the verifier key of its cosignatures")
    made["witness"].add_argument(
        "--setup", metavar="CMD", help="a command that makes the witness follow {member} at {url}, pinned by {root}"
    )
    made["witness"].add_argument("--port", type=int, default=0, help="the port of the suite's own log (default: any)")
    made["pair"].add_argument("--a", required=True, metavar="CMD", help="how the first node is called")
    made["pair"].add_argument("--b", required=True, metavar="CMD", help="how the second node is called")
    listing = _parser(modes, "list", "print all cases, and how many there are", "list --json")
    listing.add_argument("--json", action="store_true", help="as JSON, for programs")
    return parser


def _parser(
    modes: argparse._SubParsersAction[argparse.ArgumentParser], name: str, what: str, example: str
) -> argparse.ArgumentParser:
    return modes.add_parser(
        name,
        help=what,
        description=f"{what[0].upper()}{what[1:]}.",
        epilog=f"example:\n  hashpact-conformance {example}\n\n{EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _mode(
    modes: argparse._SubParsersAction[argparse.ArgumentParser], name: str, what: str, example: str
) -> argparse.ArgumentParser:
    parser = _parser(modes, name, what, example)
    parser.add_argument("--junit", type=Path, metavar="FILE", help="write a report as JUnit XML")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write a report as JSON")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a report as one page for people")
    parser.add_argument("--dump", type=Path, metavar="DIR", help="keep what went over the wire, a folder for each case")
    parser.add_argument(
        "--expected-failures",
        type=Path,
        metavar="FILE",
        help="cases that may fail: an id on each line, and why after a #; one that passes fails the run",
    )
    parser.add_argument("-k", dest="pattern", metavar="PATTERN", help="run only cases whose id holds this expression")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the suite, and give its exit code."""
    told = make_parser().parse_args(arguments)
    if importlib.util.find_spec("pytest") is None:
        print(
            "hashpact-conformance runs its cases with pytest, which is not installed; "
            "install it with: pip install 'hashpact[conformance]'",
            file=sys.stderr,
        )
        return 2
    from hashpact_conformance import running  # noqa: PLC0415 (it needs pytest)

    return running.list_cases(as_json=told.json) if told.mode == "list" else running.run(told)
