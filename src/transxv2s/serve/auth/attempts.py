"""A limit on attempts to log in: a sliding window in the database, which a restart does not reset."""

import hashlib
import ipaddress
import math
from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from transxv2s.serve.db.models import LoginAttempt
from transxv2s.serve.errors import TooManyAttemptsError


def of_user(name: str) -> str:
    """The key of a name, whether there is such a user or not."""
    return _key(f"user {name.lower()}")


def of_address(address: str) -> str:
    """The key of a network address: of IPv6 its /64 network, all of which one machine can have."""
    return _key(f"address {_network(address)}")


def of_user_at(name: str, address: str) -> str:
    """The key of a name together with a network address, so that nobody elsewhere locks a user out."""
    return _key(f"user {name.lower()} at {_network(address)}")


def check(session: Session, limits: Mapping[str, int], window: timedelta, now: datetime) -> None:
    """Whether another attempt may be made; `reserve` tells for certain, but needs the writer's lock.

    Raises:
        TooManyAttemptsError: One of the keys has had as many as it may.
    """
    waits = [_wait(session, key, limit, window, now) for key, limit in limits.items()]
    if any(waits):
        raise TooManyAttemptsError(max(1, math.ceil(max(waits))))


def reserve(
    session: Session, limits: Mapping[str, int], window: timedelta, now: datetime
) -> list[LoginAttempt]:
    """Counts an attempt before it is looked at, so that many at once cannot slip through.

    Args:
        session: Inside `Database.writing`.
        limits: By key, how many attempts there may be within the window.
        window: Its length; it ends now.
        now: When.

    Returns:
        One attempt a key, for `forgive`.

    Raises:
        TooManyAttemptsError: As `check`; this one is not counted.
    """
    session.execute(delete(LoginAttempt).where(LoginAttempt.at <= now - window))
    check(session, limits, window, now)
    attempts = [LoginAttempt(key=key, at=now) for key in limits]
    session.add_all(attempts)
    session.flush()
    return attempts


def forgive(session: Session, attempts: list[LoginAttempt], key: str) -> None:
    """After a success: takes back these attempts, and all of one key, that of the user at the address.

    Those from the same address as others stay, or who has one password could try others without end.
    """
    mine = LoginAttempt.id.in_([attempt.id for attempt in attempts])
    session.execute(delete(LoginAttempt).where(mine | (LoginAttempt.key == key)))


def _wait(session: Session, key: str, limit: int, window: timedelta, now: datetime) -> float:
    """Seconds until the window holds fewer attempts than the limit; 0 where it does now."""
    counted = (LoginAttempt.key == key) & (LoginAttempt.at > now - window)
    newest = select(LoginAttempt.at).where(counted).order_by(LoginAttempt.at.desc())
    decisive = session.scalars(newest.offset(limit - 1).limit(1)).first()
    return (decisive + window - now).total_seconds() if decisive else 0.0


def _network(address: str) -> str:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:  # a Unix socket's
        return address
    if isinstance(found, ipaddress.IPv6Address):
        found = found.ipv4_mapped or ipaddress.ip_network((int(found), 64), strict=False).network_address
    return str(found)


def _key(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
