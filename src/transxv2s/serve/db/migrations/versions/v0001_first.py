"""The first tables, and the triggers that keep the audit trail and reviews as they were written."""

import sqlalchemy as sa
from alembic import op

from transxv2s.serve.db.migrations import triggers_0001

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Makes tables and triggers."""
    _cases()
    _audit()
    _users()
    for statement in triggers_0001.statements(op.get_bind().dialect.name):
        op.execute(sa.text(statement))


def _cases() -> None:
    op.create_table(
        "cases",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("created_at", sa.String(32), nullable=False),
        sa.Column("created_by", sa.String(64), nullable=False),
        sa.Column("age", sa.Integer),
        sa.Column("sex", sa.String(8)),
        sa.Column("site", sa.String(32)),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("urgency", sa.Double, nullable=False),
        sa.Column("expires_at", sa.String(32), nullable=False),
        sa.Column("salt", sa.String(32)),
        sa.CheckConstraint("state IN ('answered', 'waiting', 'reviewed', 'deleted')", name="state"),
    )
    op.create_index(None, "cases", ["state", "urgency", "created_at"])
    op.create_index(None, "cases", ["expires_at"])
    op.create_table(
        "case_images",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("case_id", sa.String(32), sa.ForeignKey("cases.id"), nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("digest", sa.String(64)),
        sa.Column("seen_digest", sa.String(64)),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("height", sa.Integer, nullable=False),
        sa.Column("finding", sa.Text),
        sa.UniqueConstraint("case_id", "position"),
    )
    op.create_index(None, "case_images", ["digest"])
    op.create_index(None, "case_images", ["seen_digest"])
    op.create_table(
        "reviews",
        sa.Column("case_id", sa.String(32), sa.ForeignKey("cases.id"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("reviewer", sa.String(64), nullable=False),
        sa.Column("created_at", sa.String(32), nullable=False),
        sa.Column("diagnosis", sa.String(64), nullable=False),
        sa.Column("agrees", sa.Boolean, nullable=False),
        sa.Column("confidence", sa.String(6), nullable=False),
        sa.Column("comment", sa.Text),
        sa.CheckConstraint("confidence IN ('low', 'medium', 'high')", name="confidence"),
    )


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("action", sa.String(32), nullable=False),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("payload_digest", sa.String(64), nullable=False),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.UniqueConstraint("previous"),
        sa.UniqueConstraint("digest"),
    )


def _users() -> None:
    op.create_table(
        "users",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("role", sa.String(8), nullable=False),
        sa.Column("password_hash", sa.Text, nullable=False),
        sa.Column("created_at", sa.String(32), nullable=False),
        sa.Column("disabled_at", sa.String(32)),
        sa.CheckConstraint("role IN ('uploader', 'reviewer', 'admin')", name="role"),
    )
    op.create_table(
        "sessions",
        sa.Column("token_hash", sa.String(64), primary_key=True),
        sa.Column("user_name", sa.String(64), sa.ForeignKey("users.name"), nullable=False),
        sa.Column("created_at", sa.String(32), nullable=False),
        sa.Column("seen_at", sa.String(32), nullable=False),
    )
    op.create_index(None, "sessions", ["user_name"])
    op.create_table(
        "tokens",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("owner", sa.String(64), sa.ForeignKey("users.name"), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("created_at", sa.String(32), nullable=False),
        sa.Column("revoked_at", sa.String(32)),
        sa.UniqueConstraint("token_hash"),
    )
    op.create_index(None, "tokens", ["owner"])
    op.create_table(
        "login_attempts",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("at", sa.String(32), nullable=False),
    )
    op.create_index(None, "login_attempts", ["key", "at"])
