"""Users: who they are, what they may do, and that one admin is always left."""

from typing import get_args

import pytest

from serve.making import CHEAP, NOW, PASSWORD
from transxv2s.errors import InputError
from transxv2s.serve import audit
from transxv2s.serve.auth import users
from transxv2s.serve.auth.passwords import matches
from transxv2s.serve.auth.users import Identity
from transxv2s.serve.db.models import Role
from transxv2s.serve.db.session import Database
from transxv2s.serve.errors import ConflictError, NotFoundError


def add(database: Database, name: str, role: Role = "reviewer", password: str = PASSWORD) -> None:
    with database.writing() as session:
        users.create(session, name, password, role, actor="local", now=NOW, hasher=CHEAP)


def test_a_user_comes_back_whole_but_for_the_password(database: Database) -> None:
    add(database, "Rita.Miller@Clinic", "uploader")
    with database.reading() as session:
        user = users.get(session, "RITA.miller@clinic")
        assert audit.verify(session).fault is None
        entry = audit.entries(session)[-1]
    assert (user.name, user.role, user.created_at, user.disabled_at) == (
        "rita.miller@clinic",
        "uploader",
        NOW,
        None,
    )
    assert matches(PASSWORD, user.password_hash, CHEAP)
    assert (entry.action, entry.subject, entry.actor) == ("user.created", user.name, "local")


@pytest.mark.parametrize(
    "name",
    ["", "a", ".a", "a b", "ä", "x" * 65, "a\n", "system", "Local", "unknown", "a/b", "\x00a", "a\x00"],
)
def test_names_that_cannot_be_taken(database: Database, name: str) -> None:
    with pytest.raises(InputError, match="name has 2 to 64"):
        add(database, name)
    with pytest.raises(NotFoundError), database.reading() as session:
        users.get(session, name)


def test_a_name_is_taken_once_whatever_its_case(database: Database) -> None:
    add(database, "rita")
    with pytest.raises(ConflictError, match="a user rita already"):
        add(database, "RITA")


def test_a_role_must_be_known(sqlite: Database) -> None:
    with pytest.raises(InputError, match="one of uploader, reviewer, admin"):
        add(sqlite, "rita", "root")  # type: ignore[arg-type]
    add(sqlite, "rita")
    with pytest.raises(InputError, match="one of uploader"), sqlite.writing() as session:
        users.set_role(session, "rita", "", actor="local", now=NOW)  # type: ignore[arg-type]


def test_admins_may_do_all_and_others_what_they_are_for() -> None:
    roles: tuple[Role, ...] = get_args(Role)
    allowed = {(role, needed) for role in roles for needed in roles if Identity("x", role).may(needed)}
    admin = {("admin", needed) for needed in roles}
    assert allowed == admin | {("uploader", "uploader"), ("reviewer", "reviewer")}


def test_changes_are_stored_and_written_down(database: Database) -> None:
    add(database, "ada", "admin")
    add(database, "rita")
    who = {"actor": "ada", "now": NOW}
    with database.writing() as session:
        users.set_role(session, "Rita", "uploader", **who)  # type: ignore[arg-type]
        users.set_password(session, "rita", "another long one", **who, hasher=CHEAP)  # type: ignore[arg-type]
        users.set_disabled(session, "rita", True, **who)  # type: ignore[arg-type]
    with database.writing() as session:
        assert users.get(session, "rita").disabled_at == NOW
        users.set_disabled(session, "rita", False, **who)  # type: ignore[arg-type]
    with database.reading() as session:
        ada, rita = users.everybody(session)
        assert (ada.name, rita.name, rita.role, rita.disabled_at) == ("ada", "rita", "uploader", None)
        assert matches("another long one", rita.password_hash, CHEAP)
        actions = [entry.action for entry in audit.entries(session, "rita")]
        assert audit.verify(session).fault is None
    assert actions == [f"user.{what}" for what in ("created", "role", "password", "disabled", "enabled")]


def test_the_last_admin_stays(database: Database) -> None:
    add(database, "ada", "admin")
    add(database, "rita")
    for _ in range(2):
        with pytest.raises(ConflictError, match="ada is the only admin"), database.writing() as session:
            users.set_role(session, "ada", "reviewer", actor="ada", now=NOW)
        with pytest.raises(ConflictError, match="ada is the only admin"), database.writing() as session:
            users.set_disabled(session, "ada", True, actor="ada", now=NOW)
        with database.writing() as session:  # a disabled admin is none
            users.set_role(session, "rita", "admin", actor="ada", now=NOW)
            users.set_disabled(session, "rita", True, actor="ada", now=NOW)
    with database.writing() as session:
        users.set_disabled(session, "rita", False, actor="ada", now=NOW)
        users.set_role(session, "ada", "reviewer", actor="ada", now=NOW)
