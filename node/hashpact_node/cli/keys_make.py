"""``hashpact keys generate`` and ``hashpact keys public``: keys in files and on tokens, with or without a node."""

# ruff: noqa: PLC0415  heavy parts are imported where they are needed, so that help and mistakes are quick
from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hashpact_keys.kinds import KeyKind
from hashpact_node.cli.common import DEFAULT_HOME, AsJson, Home
from hashpact_node.cli.files import text_output
from hashpact_node.cli.key_access import keystore_of
from hashpact_node.cli.output import note, say, say_json

if TYPE_CHECKING:
    from hashpact_keys.signers import TrustKey

KeyUri = Annotated[
    str,
    typer.Argument(
        metavar="URI",
        help="Where the key lives: file:PATH, or pkcs11:token=…;object=…?module-path=…",
        show_default=False,
    ),
]


def generate(
    uri: Annotated[str, typer.Argument(metavar="URI", help="Where it is to live: file:PATH, or pkcs11:…")],
    kind: Annotated[
        KeyKind, typer.Option("--type", help="The kind of key; only root, targets and online keys may be p256 or p384.")
    ] = KeyKind.ED25519,
    public: Annotated[
        Path | None, typer.Option("--public", metavar="FILE", help="Write the public key to this file, too.")
    ] = None,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Make a new key, in an encrypted file or on a token, and show its public half.

    Needs no node, so it also works on a machine that is never online; paths are taken from the home if there is one,
    else from the current folder. Nothing is ever overwritten. A private key on a token cannot leave it.
    """
    from hashpact_keys.public_keys import generate as make

    _show(uri, make(uri, keystore_of(home, new=True), kind), public, as_json)


def public(
    uri: Annotated[str, typer.Argument(metavar="URI", help="Where the key lives: file:PATH, pkcs11:…, awskms:…, …")],
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write it to this file, too.")] = None,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Show the public half of a key, which others may have.

    Needs no node, and for a file no passphrase; paths are taken from the home if there is one, else from the current
    folder.
    """
    from hashpact_keys.public_keys import public_key

    _show(uri, public_key(uri, keystore_of(home)), out, as_json)


def _show(uri: str, key: TrustKey, file: Path | None, as_json: bool) -> None:
    from hashpact_keys.key_forms import kind_of
    from hashpact_keys.public_keys import fingerprint, public_pem

    pem, kind = public_pem(key).decode(), kind_of(key, where=uri)
    if file is not None:
        with text_output(file) as opened:
            opened.write(pem)
    if as_json:
        say_json({"uri": uri, "type": kind, "fingerprint": fingerprint(key), "key_id": key.keyid, "public": pem})
        return
    say(f"{kind.words} key, SHA-256 of its public half: {fingerprint(key)}")
    say(pem.rstrip())
    if file is not None:
        note(f"The public half is in {file}; give it away, and compare the SHA-256 over another channel.")
