"""API tokens: they let a program act as their owner, until they are revoked."""

from datetime import datetime
from uuid import uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from transxv2s.errors import InputError
from transxv2s.serve import audit
from transxv2s.serve.auth import users
from transxv2s.serve.auth.secret import new_token, token_hash
from transxv2s.serve.auth.users import Identity
from transxv2s.serve.db.models import NAME, ApiToken
from transxv2s.serve.errors import ConflictError, NotFoundError, SignInError

PREFIX = "transxv2s_"  # lets scanners find tokens that were published by mistake
VOID = "The API token is not valid; make a new one."


def create(session: Session, owner: str, name: str, *, actor: str, now: datetime) -> tuple[ApiToken, str]:
    """Makes a token; it can do what its owner may do at the time.

    Args:
        session: Inside `Database.writing`.
        owner: Name of the user.
        name: What the owner calls it.
        actor: Who makes it.
        now: When.

    Returns:
        What is stored, and the token itself, which cannot be shown again.

    Raises:
        NotFoundError: There is no such user.
        InputError: The name cannot be taken.
        ConflictError: The owner has one of that name that works.
    """
    name = name.strip()
    if not 1 <= len(name) <= NAME or not name.isprintable():
        raise InputError(f"The name of a token has 1 to {NAME} characters that can be shown.")
    user = users.get(session, owner)
    if any(token.name == name and token.revoked_at is None for token in of(session, owner)):
        raise ConflictError(f"There is a token {name} already: revoke it first, or choose another name.")
    secret = new_token(PREFIX)
    token = ApiToken(id=uuid4().hex, user=user, name=name, token_hash=token_hash(secret), created_at=now)
    session.add(token)
    session.flush()
    audit.record(session, "token.created", token.id, actor=actor, now=now)
    return token, secret


def of(session: Session, owner: str) -> list[ApiToken]:
    """All tokens of a user, revoked ones too, oldest first."""
    query = select(ApiToken).where(ApiToken.owner == owner.lower())
    return list(session.scalars(query.order_by(ApiToken.created_at, ApiToken.id)))


def identify(session: Session, secret: str) -> Identity:
    """Who acts through this token.

    Raises:
        SignInError: There is no such token, it was revoked, or its owner is disabled.
    """
    token = session.scalars(select(ApiToken).where(ApiToken.token_hash == token_hash(secret))).first()
    if token is None or token.revoked_at is not None or token.user.disabled_at is not None:
        raise SignInError(VOID)
    return Identity(token.user.name, token.user.role)


def revoke(session: Session, owner: str, token_id: str, *, actor: str, now: datetime) -> None:
    """Makes a token void for good. Call it inside `Database.writing`.

    Raises:
        NotFoundError: The user has no such token that works.
    """
    token = next((t for t in of(session, owner) if t.id == token_id and t.revoked_at is None), None)
    if token is None:
        raise NotFoundError("There is no such token; look at the list of tokens.")
    token.revoked_at = now
    audit.record(session, "token.revoked", token.id, actor=actor, now=now)
