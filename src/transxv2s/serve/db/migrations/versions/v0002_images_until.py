"""When the images of a reviewed case go, while the rest of it stays."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Adds the column; cases that were reviewed before go whole, as they were told."""
    op.add_column("cases", sa.Column("images_until", sa.String(32)))
    op.create_index(None, "cases", ["images_until"])
