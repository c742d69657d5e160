"""Alembic revisions, run at start from this package by `data.database`."""
