"""What ``hashpact demo`` says: titles, tables, commands as one types them, and what it checked."""

from __future__ import annotations

import shlex
import sys
import textwrap
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from hashpact_node import clock
from hashpact_node.cli.output import console, printable, waiting
from hashpact_node.cli.tables import short, show_table
from hashpact_protocol.errors import HashpactError

PATIENCE_SECONDS: Final = 180.0
LOOK_AGAIN_SECONDS: Final = 0.1
CUT: Final = "…"
SHOWN_COMMAND: Final = 300
RULE: Final = 80
SHOWN_SECONDS: Final = 0.1
SHOWN_MIN: Final = 40
SHOWN_MAX: Final = 100


class Stage:
    """Speaks to the audience on standard output, and ends the demo at the first thing that is not as it should be."""

    def __init__(self) -> None:
        self._console: Console = console(sys.stdout)
        self._started = clock.monotonic()
        self._step = ""
        self._steps = 0
        self.checks = 0

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return clock.monotonic() - self._started

    def title(self, text: str) -> None:
        """Begin the demo, or its end."""
        self._print(text, "bold")

    def step(self, title: str, words: str) -> None:
        """Begin a step: its title, and in a sentence what is to be seen."""
        self._steps += 1
        self._step = f"step {self._steps}, {title}"
        self._console.print()
        head = f"{self._steps}  {printable(title)} "
        rule = "─" * max(0, min(self._console.width, RULE) - len(head))
        self._console.print(Text.assemble((head, "bold"), (rule, "dim")))
        self.say(words)

    def say(self, words: str) -> None:
        """Say something."""
        self._print(words)

    def line(self, text: str) -> None:
        """Show a line that is copied: it is never folded."""
        self._console.print(Text(printable(text)), soft_wrap=True)

    def typed(self, member: str, *words: str) -> None:
        """Show a command as one types it at a member's; of a very long one the beginning."""
        line = " ".join(word if word.endswith(CUT) else shlex.quote(word) for word in words)
        self._print(short(f"  {member} $ {line}", SHOWN_COMMAND), "cyan")

    def asked(self, member: str, request: str, about: str | None = None) -> None:
        """Show a request to a member's node, and what it is about."""
        self._print(f"  {member} > {request}{f'  ({about})' if about else ''}", "cyan")

    def busy(self, words: str) -> AbstractContextManager[None]:
        """Show on a terminal, for as long as the context lasts, that something takes its time."""
        return waiting(words)

    def table(self, columns: Sequence[str], *rows: Sequence[object], right: Sequence[str] = ()) -> None:
        """Show a table; the columns named in ``right`` are figures."""
        show_table(columns, rows, right=right)

    def expect(self, words: str, seen: object, wanted: object) -> None:
        """Check one thing, and say that it holds; HashpactError says what was expected and what was seen."""
        if seen != wanted:
            raise HashpactError(
                f"this should be so, and is not: {words}\nexpected: {wanted}\nseen: {seen}", where=self._step
            )
        self.checks += 1
        self._console.print(Text.assemble(("  ✓ ", "green"), printable(words)))

    def await_(self, words: str, ask: Callable[[], Any], wanted: object) -> None:
        """Ask until the answer is what is wanted, then say so and how long that took; HashpactError after a minute."""
        begun = clock.monotonic()
        with waiting(f"{words}…"):
            while (seen := ask()) != wanted and clock.monotonic() - begun < PATIENCE_SECONDS:
                time.sleep(LOOK_AGAIN_SECONDS)
        seconds = clock.monotonic() - begun
        self.expect(f"{words} ({seconds:.1f} s)" if seconds >= SHOWN_SECONDS else words, seen, wanted)

    def _print(self, words: str, style: str = "") -> None:
        """Print within the width of the terminal; what goes on on the next line is set in a little more."""
        for line in words.split("\n"):
            text = printable(line)
            indent = len(text) - len(text.lstrip())
            margin = " " * (indent and indent + 2)
            width = max(SHOWN_MIN, min(self._console.width, SHOWN_MAX))
            folded = textwrap.wrap(
                text, width, subsequent_indent=margin, break_long_words=False, break_on_hyphens=False
            )
            for each in folded or [""]:
                self._console.print(Text(each, style), soft_wrap=True)
