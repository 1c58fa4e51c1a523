"""``hashpact prove`` and ``hashpact verify-proof``: that a listing stands in a log, for people without a node."""

# ruff: noqa: PLC0415  heavy parts are imported where they are needed, so that help and mistakes are quick
from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hashpact_node.cli.common import DEFAULT_HOME, AsJson, Home, opened
from hashpact_node.cli.files import read_input, text_output
from hashpact_node.cli.output import note, say, say_json
from hashpact_protocol.errors import RequestError


def prove(
    listing: Annotated[str, typer.Argument(metavar="LISTING", help="The id of a listing, ours or a peer's.")],
    *,
    member: Annotated[
        str | None, typer.Option(metavar="ID", help="Its publisher, where several use the same id.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Not standard output; see below.")
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Ask no peer for its cosignature.")] = False,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Prove that a listing stands in its log (C2SP tlog-proof).

    The peers are asked for their cosignatures, each for a few seconds; who does not answer is left out.

    With -o FILE, the entry that the proof speaks of is written beside it, as FILE.entry.json: whoever verifies needs
    both, and the publisher's card or a policy file that they trust.
    """
    from hashpact_node.services.gathering import Gatherer
    from hashpact_node.services.proving import Prover

    with opened(home) as node:
        gatherer = Gatherer(node.database, node.fetcher)
        proof = Prover(node.database).prove(listing, member=member, gather=None if offline else gatherer.gather)
    if output is not None:
        entry = output.with_name(f"{output.name}.entry.json")
        for path, data in ((entry, proof.entry), (output, proof.proof)):
            with text_output(path) as file:
                file.write(data.decode())
        note(f"written: {output}, and the entry that it proves: {entry}")
    if as_json:
        fields = {name: getattr(proof, name) for name in ("member", "origin", "index", "size", "live")}
        say_json({**fields, "entry": proof.entry.decode(), "proof": proof.proof.decode()})
        return
    if output is None:
        print(proof.proof.decode(), end="")
        note(f"the entry that it proves: {proof.entry.decode()}")
    withdrawn = "" if proof.live else ", and withdrawn since"
    note(f"{listing} is entry {proof.index:,} of {proof.size:,} of {proof.origin}{withdrawn}")


def verify_proof(
    proof: Annotated[Path, typer.Argument(metavar="PROOF", help="The proof's file.")],
    entry: Annotated[Path, typer.Option(metavar="FILE", help="The entry that it speaks of, as published.")],
    policy: Annotated[Path | None, typer.Option(metavar="FILE", help="A policy file (C2SP tlog-policy).")] = None,
    card: Annotated[Path | None, typer.Option(metavar="FILE", help="The publisher's member card.")] = None,
    as_json: AsJson = False,
) -> None:
    """Verify a proof offline, without a node or a network.

    --policy and --card say whom to believe: the publisher's keys come from either, witnesses and their quorum from the
    policy. With both, both must hold. They must have come to you in a way that you trust. What is not true ends with
    exit code 1.
    """
    from hashpact_node.services.proving import verify_proof_file

    trusted = [read_input(one) for one in (policy, card) if one is not None]
    if not trusted:
        raise RequestError("nothing says whom to believe", where="verify-proof", mend="give --policy, --card, or both")
    verified = verify_proof_file(read_input(proof), read_input(entry), *trusted)
    if as_json:
        fields = {name: getattr(verified, name) for name in ("origin", "index", "size", "root")}
        say_json({"verified": True, **fields, "entry": verified.entry.decode()})
        return
    say(f"verified: the entry stands at index {verified.index:,} of the first {verified.size:,} of {verified.origin}")
