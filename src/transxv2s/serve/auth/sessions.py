"""Logging in, and the sessions of browsers that are."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from argon2 import PasswordHasher
from sqlalchemy import delete
from sqlalchemy.orm import Session

from transxv2s.serve import audit
from transxv2s.serve.auth.attempts import check, forgive, of_address, of_user, of_user_at, reserve
from transxv2s.serve.auth.passwords import HASHER, matches, renewed
from transxv2s.serve.auth.secret import csrf_token, new_token, token_hash
from transxv2s.serve.auth.users import NAME, Identity
from transxv2s.serve.db.models import User, UserSession
from transxv2s.serve.db.session import Database
from transxv2s.serve.errors import SignInError, StorageUnavailableError
from transxv2s.serve.settings import Settings

WRONG = "Name or password is wrong; try again."
ENDED = "The session has ended; log in again."
TOUCH = timedelta(minutes=1)  # a session's last use is written down no more often than this
TOUCH_WAIT = 0.2  # seconds for another writer


@dataclass(frozen=True)
class Login:
    """A session that was opened.

    Attributes:
        identity: Who.
        token: For the cookie; it cannot be shown again.
        csrf: For the pages of the session, see `secret.csrf_matches`.
    """

    identity: Identity
    token: str
    csrf: str


def login(
    database: Database,
    settings: Settings,
    name: str,
    password: str,
    *,
    address: str,
    now: datetime,
    hasher: PasswordHasher = HASHER,
) -> Login:
    """Opens a session.

    Takes as long for a name that nobody has, or a disabled user, as for a wrong password. A failure is
    written into the audit trail, without the address, and without a name that nobody has: it may be a
    password.

    Raises:
        SignInError: Name or password is wrong.
        TooManyAttemptsError: Says when to try again.
    """
    name = name.lower()
    window = timedelta(minutes=settings.attempt_minutes)
    here = of_user_at(name, address)
    limits = {
        here: settings.attempts_per_user,
        of_address(address): settings.attempts_per_address,
        of_user(name): settings.attempts_per_user_anywhere,
    }
    with database.reading() as session:
        check(session, limits, window, now)  # whoever is refused holds up no writer
    with database.writing() as session:
        attempts = reserve(session, limits, window, now)
        user = _active(session, name)
    stored = user.password_hash if user else None
    if not matches(password, stored, hasher) or stored is None:  # outside the transaction: it takes a while
        with database.writing() as session:
            known = session.get(User, name) if NAME.fullmatch(name) else None
            audit.note(
                session, "login.failed", known.name if known else "unknown", actor=audit.SYSTEM, now=now
            )
        raise SignInError(WRONG)
    better = renewed(password, stored, hasher)
    with database.writing() as session:
        user = _active(session, name)
        if user is None or user.password_hash != stored:  # changed while the password was looked at
            raise SignInError(WRONG)
        if better:
            user.password_hash = better
            audit.record(session, "user.rehashed", name, actor=audit.SYSTEM, now=now)
        forgive(session, attempts, here)
        return _open(session, settings, user, now)


def _active(session: Session, name: str) -> User | None:
    user = session.get(User, name) if NAME.fullmatch(name) else None
    return user if user and user.disabled_at is None else None


def _open(session: Session, settings: Settings, user: User, now: datetime) -> Login:
    """Opens a session, and tidies up those that nobody has closed."""
    oldest = now - timedelta(hours=settings.session_hours)
    session.execute(delete(UserSession).where(UserSession.created_at <= oldest))
    token = new_token()
    session.add(UserSession(token_hash=token_hash(token), user_name=user.name, created_at=now, seen_at=now))
    return Login(Identity(user.name, user.role), token, csrf_token(token))


def _has_ended(found: UserSession, settings: Settings, now: datetime) -> bool:
    idle, age = now - found.seen_at, now - found.created_at
    return idle >= timedelta(minutes=settings.idle_minutes) or age >= timedelta(hours=settings.session_hours)


def identify(database: Database, settings: Settings, token: str, now: datetime) -> Identity:
    """Who has the session of this token, which now is in use again.

    Raises:
        SignInError: There is no such session, or it has ended.
    """
    key = token_hash(token)
    with database.reading() as session:
        found = session.get(UserSession, key)
    if found is None or found.user.disabled_at is not None or _has_ended(found, settings, now):
        raise SignInError(ENDED)
    if now - found.seen_at >= TOUCH:
        _touch(database, key, now)
    return Identity(found.user.name, found.user.role)


def _touch(database: Database, key: str, now: datetime) -> None:
    """Notes the use of a session; where storage cannot be written, what is asked for may still be read."""
    with suppress(StorageUnavailableError), database.writing(wait=TOUCH_WAIT) as session:
        if found := session.get(UserSession, key):  # it may have been closed meanwhile
            found.seen_at = now


def logout(session: Session, token: str) -> None:
    """Closes a session, if there is one. Call it inside `Database.writing`."""
    session.execute(delete(UserSession).where(UserSession.token_hash == token_hash(token)))
