"""API tokens: shown once, stored as a hash, void when revoked."""

import pytest
from sqlalchemy import select

from serve.making import CHEAP, NOW, PASSWORD
from transxv2s.errors import InputError
from transxv2s.serve import audit
from transxv2s.serve.auth import tokens, users
from transxv2s.serve.auth.users import Identity
from transxv2s.serve.db.models import ApiToken
from transxv2s.serve.db.session import Database
from transxv2s.serve.errors import ConflictError, NotFoundError, SignInError


@pytest.fixture
def clinic(database: Database) -> Database:
    with database.writing() as session:
        users.create(session, "ada", PASSWORD, "admin", actor="local", now=NOW, hasher=CHEAP)
        users.create(session, "rita", PASSWORD, "reviewer", actor="local", now=NOW, hasher=CHEAP)
    return database


def make(database: Database, owner: str = "rita", name: str = "scanner") -> tuple[str, str]:
    """Id and secret."""
    with database.writing() as session:
        token, secret = tokens.create(session, owner, name, actor=owner, now=NOW)
        return token.id, secret


def who(database: Database, secret: str) -> Identity:
    with database.reading() as session:
        return tokens.identify(session, secret)


def test_a_token_acts_as_its_owner_does_at_the_time(clinic: Database) -> None:
    _, secret = make(clinic)
    assert who(clinic, secret) == Identity("rita", "reviewer")
    with clinic.writing() as session:
        users.set_role(session, "rita", "uploader", actor="ada", now=NOW)
    assert who(clinic, secret) == Identity("rita", "uploader")
    with clinic.writing() as session:
        users.set_disabled(session, "rita", True, actor="ada", now=NOW)
    with pytest.raises(SignInError, match="not valid"):
        who(clinic, secret)


def test_the_secret_is_not_stored(clinic: Database) -> None:
    secrets = {make(clinic, name=f"n{n}")[1] for n in range(3)}
    assert len(secrets) == 3
    assert all(secret.startswith("transxv2s_") and len(secret) >= 53 for secret in secrets)
    with clinic.reading() as session:
        for token in session.scalars(select(ApiToken)):
            values = {getattr(token, column.name) for column in ApiToken.__table__.columns}
            assert not values & secrets


@pytest.mark.parametrize("wrong", ["", "transxv2s_", "\x00", "\ud800", "x" * 10**5])
def test_no_other_secret_works(clinic: Database, wrong: str) -> None:
    _, secret = make(clinic)
    with clinic.reading() as session:
        stored = session.scalars(select(ApiToken.token_hash)).one()
    for other in (wrong, stored, secret[:-1], secret.removeprefix("transxv2s_")):
        with pytest.raises(SignInError):
            who(clinic, other)


def test_a_revoked_token_is_void_and_its_name_free(clinic: Database) -> None:
    first, secret = make(clinic)
    with pytest.raises(ConflictError, match="a token scanner already"):
        make(clinic)
    make(clinic, "ada")  # another owner's names are no matter
    with clinic.writing() as session:
        tokens.revoke(session, "rita", first, actor="rita", now=NOW)
    with pytest.raises(SignInError):
        who(clinic, secret)
    second, again = make(clinic)
    assert who(clinic, again).name == "rita"
    with clinic.reading() as session:
        assert {t.id: t.revoked_at for t in tokens.of(session, "RITA")} == {first: NOW, second: None}
        actions = [entry.action for entry in audit.entries(session, first)]
        assert audit.verify(session).fault is None
    assert actions == ["token.created", "token.revoked"]


def test_only_a_working_token_of_this_owner_can_be_revoked(clinic: Database) -> None:
    token, secret = make(clinic)
    for owner, wrong in (("ada", token), ("rita", "0" * 32), ("nobody", token)):
        with pytest.raises(NotFoundError), clinic.writing() as session:
            tokens.revoke(session, owner, wrong, actor="ada", now=NOW)
    assert who(clinic, secret).name == "rita"


@pytest.mark.parametrize("name", ["", " ", "x" * 65, "a\nb", "a\x00"])
def test_names_that_cannot_be_taken(clinic: Database, name: str) -> None:
    with pytest.raises(InputError, match="1 to 64 characters"):
        make(clinic, name=name)


def test_a_token_needs_an_owner(clinic: Database) -> None:
    with pytest.raises(NotFoundError, match="no such user"):
        make(clinic, "nobody")
