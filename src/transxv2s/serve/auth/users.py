"""Users and their roles. Nobody is deleted: the audit trail names them."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import get_args

from argon2 import PasswordHasher
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from transxv2s.errors import InputError
from transxv2s.serve import audit
from transxv2s.serve.auth.passwords import HASHER, hashed
from transxv2s.serve.db.models import Role, User, UserSession
from transxv2s.serve.errors import ConflictError, NotFoundError

NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{1,63}")
ROLES: tuple[str, ...] = get_args(Role)
RESERVED = (audit.SYSTEM, audit.LOCAL, "unknown")


@dataclass(frozen=True)
class Identity:
    """Who asks.

    Attributes:
        name: Of the user.
        role: What the user may do.
    """

    name: str
    role: Role

    def may(self, needed: Role) -> bool:
        """Whether this is the role needed, or admin."""
        return self.role in (needed, "admin")


def create(
    session: Session,
    name: str,
    password: str,
    role: Role,
    *,
    actor: str,
    now: datetime,
    hasher: PasswordHasher = HASHER,
) -> User:
    """Adds a user.

    Args:
        session: Inside `Database.writing`.
        name: Upper case is read as lower case.
        password: See `passwords`.
        role: What the user may do.
        actor: Who adds.
        now: When.
        hasher: Argon2's parameters.

    Raises:
        InputError: Name, password or role cannot be taken.
        ConflictError: There is a user of that name.
    """
    name = name.lower()
    if not NAME.fullmatch(name) or name in RESERVED:
        raise InputError(
            "A user's name has 2 to 64 letters (a to z), digits or . _ @ -, begins with a letter or digit, "
            f"and is none of {', '.join(RESERVED)}: choose another."
        )
    _check_role(role)
    if session.get(User, name) is not None:
        raise ConflictError(f"There is a user {name} already: choose another name.")
    user = User(name=name, role=role, password_hash=hashed(password, hasher), created_at=now)
    session.add(user)
    audit.record(session, "user.created", name, actor=actor, now=now)
    return user


def get(session: Session, name: str) -> User:
    """A user, disabled or not.

    Raises:
        NotFoundError: There is none of that name.
    """
    user = session.get(User, name.lower()) if NAME.fullmatch(name.lower()) else None
    if user is None:
        raise NotFoundError("There is no such user; look at the list of users.")
    return user


def everybody(session: Session) -> list[User]:
    """All users by name."""
    return list(session.scalars(select(User).order_by(User.name)))


def set_password(
    session: Session,
    name: str,
    password: str,
    *,
    actor: str,
    now: datetime,
    hasher: PasswordHasher = HASHER,
) -> None:
    """Changes a password and ends all sessions of the user; API tokens stay.

    Raises:
        NotFoundError: There is no such user.
        InputError: The password cannot be taken.
    """
    user = get(session, name)
    user.password_hash = hashed(password, hasher)
    _changed(session, user, "user.password", actor, now)


def set_role(session: Session, name: str, role: Role, *, actor: str, now: datetime) -> None:
    """Changes what a user may do, and ends the user's sessions.

    Raises:
        NotFoundError: There is no such user.
        InputError: There is no such role.
        ConflictError: Nobody would be left who may do all.
    """
    _check_role(role)
    user = get(session, name)
    if role != "admin":
        _check_another_admin(session, user)
    user.role = role
    _changed(session, user, "user.role", actor, now)


def set_disabled(session: Session, name: str, disabled: bool, *, actor: str, now: datetime) -> None:
    """Shuts a user out, sessions and API tokens included, or lets the user in again.

    Raises:
        NotFoundError: There is no such user.
        ConflictError: Nobody would be left who may do all.
    """
    user = get(session, name)
    if disabled:
        _check_another_admin(session, user)
    user.disabled_at = now if disabled else None
    _changed(session, user, "user.disabled" if disabled else "user.enabled", actor, now)


def _check_role(role: str) -> None:
    if role not in ROLES:
        raise InputError(f"The role must be one of {', '.join(ROLES)}.")


def _check_another_admin(session: Session, user: User) -> None:
    others = select(func.count()).where(
        User.role == "admin", User.disabled_at.is_(None), User.name != user.name
    )
    if user.role == "admin" and user.disabled_at is None and not session.scalar(others):
        raise ConflictError(f"{user.name} is the only admin: make another one first.")


def _changed(session: Session, user: User, action: str, actor: str, now: datetime) -> None:
    session.execute(delete(UserSession).where(UserSession.user_name == user.name))
    audit.record(session, action, user.name, actor=actor, now=now)
