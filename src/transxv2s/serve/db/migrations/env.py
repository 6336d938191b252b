"""What Alembic runs; `upgrade` gives it a connection that holds the writer's lock, inside a transaction."""

from alembic import context

from transxv2s.serve.db.models import Case

context.configure(connection=context.config.attributes["connection"], target_metadata=Case.metadata)
context.run_migrations()
