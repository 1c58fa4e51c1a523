"""The connection's type, for services: they pass it on from one query to the next and know nothing else of it."""

from __future__ import annotations

from sqlalchemy import Connection

__all__ = ["Connection"]
