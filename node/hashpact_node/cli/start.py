"""Where the program ``hashpact`` starts: Ctrl-C is left to the system until a command can tell of it in words."""

# ruff: noqa: PLC0415  the commands are loaded once Ctrl-C can do no harm
from __future__ import annotations

import signal


def main() -> None:
    """Load the command line and run it.

    Python would answer a Ctrl-C while it loads, or ends, with a traceback; the system just ends the program, which has
    done nothing by then, or everything. Where Ctrl-C is ignored, as in the background of a script, it stays so.
    """
    heeded = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if heeded:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from hashpact_node.cli.main import app

    if heeded:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        app()
    finally:
        if heeded:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
