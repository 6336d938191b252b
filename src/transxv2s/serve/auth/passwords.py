"""Passwords, stored as Argon2id hashes with the library's parameters (RFC 9106, low memory)."""

import threading
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from transxv2s.errors import InputError

SHORTEST, LONGEST = 12, 1024  # characters
HASHER = PasswordHasher()
AT_ONCE = threading.BoundedSemaphore(2)  # each takes 64 MiB and all cores


def hashed(password: str, hasher: PasswordHasher = HASHER) -> str:
    """Argon2's encoded form of a new password.

    Raises:
        InputError: It is too short or too long.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise InputError(f"A password needs {SHORTEST} to {LONGEST:,} characters: take a few words.")
    return _hash(password, hasher)


def matches(password: str, stored: str | None, hasher: PasswordHasher = HASHER) -> bool:
    """Whether the password is the one stored; without one, takes as long and says no."""
    nobody = _nobody(hasher)  # always, as it takes a while for the first time
    try:
        with AT_ONCE:
            hasher.verify(nobody if stored is None else stored, _bytes(password[: LONGEST + 1]))
    except (VerificationError, InvalidHashError):
        return False
    return stored is not None


def renewed(password: str, stored: str, hasher: PasswordHasher = HASHER) -> str | None:
    """The hash with today's parameters, of a password that matches; None where it has them already."""
    return _hash(password, hasher) if hasher.check_needs_rehash(stored) else None


def _hash(password: str, hasher: PasswordHasher) -> str:
    with AT_ONCE:
        return hasher.hash(_bytes(password))


def _bytes(password: str) -> bytes:
    """UTF-8, also of what is no valid text."""
    return password.encode("utf-8", "surrogatepass")


@cache
def _nobody(hasher: PasswordHasher) -> str:
    """A hash that only serves to take as long as a real one."""
    return _hash("", hasher)
