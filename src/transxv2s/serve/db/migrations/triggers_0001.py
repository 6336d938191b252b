"""Triggers of migration 0001: what was written in the audit trail and in reviews stays as it is.

A review may lose its comment, and nothing else: it may hold what must be deleted one day. An audit entry must
follow the last one, so that the database itself refuses a fork or a gap.
"""

SETTLED = ("case_id", "number", "reviewer", "created_at", "diagnosis", "agrees", "confidence")
GENESIS = "0" * 64

FOLLOWS_NOT = f"""NEW.sequence <> 1 + coalesce((SELECT max(sequence) FROM audit), 0)
    OR NEW.previous <> coalesce((SELECT digest FROM audit WHERE sequence = NEW.sequence - 1), '{GENESIS}')"""  # noqa: S608

REFUSED = {
    "audit_update": ("UPDATE ON audit", "", "audit entries are never changed"),
    "audit_delete": ("DELETE ON audit", "", "audit entries are never deleted"),
    "audit_insert": ("INSERT ON audit", FOLLOWS_NOT, "an audit entry must follow the last one"),
    "reviews_delete": ("DELETE ON reviews", "", "reviews are never deleted"),
    "reviews_update": (
        "UPDATE ON reviews",
        "NEW.comment IS NOT NULL OR " + " OR ".join(f"NEW.{column} <> OLD.{column}" for column in SETTLED),
        "reviews are never changed",
    ),
}
EMPTYING = {"audit_truncate": ("audit", "audit_delete"), "reviews_truncate": ("reviews", "reviews_delete")}


def statements(dialect: str) -> list[str]:
    """What makes the triggers in SQLite or PostgreSQL."""
    if dialect == "sqlite":
        return [_sqlite(name, *refused) for name, refused in REFUSED.items()]
    functions = [_function(name, condition, words) for name, (_, condition, words) in REFUSED.items()]
    triggers = [
        f"CREATE TRIGGER {name} BEFORE {what} FOR EACH ROW EXECUTE FUNCTION {name}()"
        for name, (what, _, _) in REFUSED.items()
    ]
    emptying = [
        f"CREATE TRIGGER {name} BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION {function}()"
        for name, (table, function) in EMPTYING.items()
    ]
    return functions + triggers + emptying


def _sqlite(name: str, what: str, condition: str, words: str) -> str:
    when = f"WHEN {condition}" if condition else ""
    return (
        f"CREATE TRIGGER {name} BEFORE {what} FOR EACH ROW {when} BEGIN SELECT RAISE(ABORT, '{words}'); END"
    )


def _function(name: str, condition: str, words: str) -> str:
    return f"""
    CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF {condition or "TRUE"} THEN
            RAISE EXCEPTION '{words}' USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        RETURN NEW;
    END $$"""
