"""The database's history, one Alembic revision a change of its form."""
