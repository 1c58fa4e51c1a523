"""What a node logs: to standard error, as lines for people or JSON for machines, its own words and its libraries'."""

from __future__ import annotations

import logging
import sys
from typing import Final

import structlog
from structlog.types import Processor

_QUIET: Final = ("httpx", "httpcore", "tuf", "securesystemslib", "alembic", "PIL", "uvicorn.access")
"""Libraries whose every step is no news; their warnings are."""


_SILENT: Final = ("apscheduler",)
"""What it warns of, a job that is still running when its next turn comes, is meant; the schedule tells its errors."""


def log_to_stderr(log_format: str, *, level: str = "info") -> None:
    """Send all logging of this process to standard error; ``auto`` means ``console`` on a terminal, else ``json``."""
    number = logging.getLevelNamesMapping()[level.upper()]
    if log_format == "auto":
        log_format = "console" if sys.stderr.isatty() else "json"
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    last: list[Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if log_format == "json"
        else [_console()]
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(number)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(number, logging.WARNING))
    for name in _SILENT:
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _console() -> Processor:
    # Left to itself it writes the variables of every frame beside a traceback: passphrases, and URLs with passwords.
    plain = structlog.dev.plain_traceback
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)
