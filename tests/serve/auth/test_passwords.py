"""Passwords are stored as Argon2 hashes, and a wrong name takes as long as a wrong password."""

from typing import Literal

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.profiles import RFC_9106_LOW_MEMORY

from serve.making import CHEAP, PASSWORD
from transxv2s.errors import InputError
from transxv2s.serve.auth import passwords


class Counting(PasswordHasher):
    """Remembers what it was asked to verify."""

    def __init__(self) -> None:
        super().__init__(time_cost=2, memory_cost=16, parallelism=1)
        self.asked: list[str] = []

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002
        self.asked.append(str(hash))
        return super().verify(hash, password)


def test_hashes_have_the_parameters_of_the_rfc_and_a_salt_each() -> None:
    first = passwords.hashed(PASSWORD)
    assert extract_parameters(first) == RFC_9106_LOW_MEMORY
    assert first.startswith("$argon2id$")
    assert passwords.matches(PASSWORD, first)
    assert passwords.hashed(PASSWORD, CHEAP) != passwords.hashed(PASSWORD, CHEAP)


@pytest.mark.parametrize(
    "wrong", ["", PASSWORD + " ", PASSWORD.upper(), PASSWORD[:-1], "\x00", "\ud800", "x" * 10**6]
)
def test_another_password_does_not_match(wrong: str) -> None:
    assert not passwords.matches(wrong, passwords.hashed(PASSWORD, CHEAP), CHEAP)


@pytest.mark.parametrize("password", ["x" * 12, "päßwörter 😀 sind gut", "x" * 1024, "a\x00" * 8])
def test_all_kinds_of_long_passwords_match_themselves(password: str) -> None:
    assert passwords.matches(password, passwords.hashed(password, CHEAP), CHEAP)


def test_a_password_is_not_cut_off() -> None:
    stored = passwords.hashed("x" * 1024, CHEAP)
    assert not passwords.matches("x" * 1023, stored, CHEAP)
    assert not passwords.matches("x" * 1025, stored, CHEAP)


@pytest.mark.parametrize("password", ["", "x" * 11, "x" * 1025])
def test_short_and_endless_passwords_are_refused(password: str) -> None:
    with pytest.raises(InputError, match="12 to 1,024 characters"):
        passwords.hashed(password, CHEAP)


def test_without_a_user_the_same_work_is_done_in_vain() -> None:
    hasher = Counting()
    stored = passwords.hashed(PASSWORD, hasher)
    assert passwords.matches(PASSWORD, stored, hasher)
    assert not passwords.matches("", None, hasher)  # not even with the password of nobody
    real, nobody = hasher.asked
    assert real == stored != nobody
    assert extract_parameters(real) == extract_parameters(nobody)


@pytest.mark.parametrize("stored", ["", "plain", "$argon2id$v=19$m=8,t=1,p=1$short"])
def test_what_is_no_hash_matches_nothing(stored: str) -> None:
    assert not passwords.matches(stored, stored, CHEAP)


def test_a_hash_is_renewed_when_parameters_change() -> None:
    stored = passwords.hashed(PASSWORD, CHEAP)
    assert passwords.renewed(PASSWORD, stored, CHEAP) is None
    stronger = PasswordHasher(time_cost=2, memory_cost=16, parallelism=1)
    better = passwords.renewed(PASSWORD, stored, stronger)
    assert better
    assert passwords.matches(PASSWORD, better, stronger)
    assert passwords.renewed(PASSWORD, better, stronger) is None
