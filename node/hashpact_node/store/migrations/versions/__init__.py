"""Alembic revisions, oldest first by their names."""
