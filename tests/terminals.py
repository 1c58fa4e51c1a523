"""Somebody who sits at a terminal, for tests of commands that ask."""

from __future__ import annotations

import sys


class Terminal:
    """What a module sees of ``sys`` where somebody sits at a terminal."""

    class stdin:  # noqa: N801  its name in sys
        """The terminal, as far as it is asked."""

        @staticmethod
        def isatty() -> bool:
            """Say that it is one."""
            return True

    stderr = sys.stderr
