"""Alembic's migrations; `upgrade` runs them."""
