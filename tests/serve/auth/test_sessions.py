"""Logging in: what opens a session, what ends it, and what stops those who guess."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select

from serve.making import CHEAP, NOW, PASSWORD
from transxv2s.serve import audit
from transxv2s.serve.auth import passwords, sessions, users
from transxv2s.serve.auth.secret import csrf_matches
from transxv2s.serve.auth.sessions import Login
from transxv2s.serve.auth.users import Identity
from transxv2s.serve.db.models import LoginAttempt, UserSession
from transxv2s.serve.db.session import Database
from transxv2s.serve.errors import SignInError, TooManyAttemptsError
from transxv2s.serve.settings import Settings

HOME, WINDOW = "192.0.2.1", timedelta(minutes=15)
SECOND = timedelta(seconds=1)


@pytest.fixture
def clinic(database: Database) -> Database:
    """With the admin ada and the reviewer rita."""
    with database.writing() as session:
        users.create(session, "ada", PASSWORD, "admin", actor="local", now=NOW, hasher=CHEAP)
        users.create(session, "rita", PASSWORD, "reviewer", actor="local", now=NOW, hasher=CHEAP)
    return database


def enter(
    database: Database,
    settings: Settings,
    name: str = "rita",
    password: str = PASSWORD,
    *,
    address: str = HOME,
    now: datetime = NOW,
    hasher: PasswordHasher = CHEAP,
) -> Login:
    return sessions.login(database, settings, name, password, address=address, now=now, hasher=hasher)


def fail(
    database: Database, settings: Settings, name: str = "rita", address: str = HOME, now: datetime = NOW
) -> None:
    with pytest.raises(SignInError, match="Name or password is wrong"):
        enter(database, settings, name, "wrong", address=address, now=now)


def wait(
    database: Database, settings: Settings, name: str = "rita", address: str = HOME, now: datetime = NOW
) -> int:
    """Seconds that an attempt with the right password is told to wait."""
    with pytest.raises(TooManyAttemptsError, match="try again in") as caught:
        enter(database, settings, name, address=address, now=now)
    return caught.value.retry_after


def test_a_session_knows_who_opened_it(clinic: Database, settings: Settings) -> None:
    login = enter(clinic, settings, "RITA")
    assert login.identity == Identity("rita", "reviewer")
    assert sessions.identify(clinic, settings, login.token, NOW) == login.identity
    with clinic.reading() as session:
        stored = session.scalars(select(UserSession)).one()
    assert len(login.token) >= 43
    assert login.token not in (stored.token_hash, stored.user_name)


@pytest.mark.parametrize("token", ["", "x", "\x00", "\ud800", "x" * 10**5])
def test_no_other_token_opens_a_session(clinic: Database, settings: Settings, token: str) -> None:
    login = enter(clinic, settings)
    with clinic.reading() as session:
        stored = session.scalars(select(UserSession.token_hash)).one()
    for wrong in (token, stored, login.csrf, login.token[:-1]):
        with pytest.raises(SignInError, match="has ended"):
            sessions.identify(clinic, settings, wrong, NOW)


def test_a_session_that_is_used_lives_on_one_that_is_not_ends(clinic: Database, settings: Settings) -> None:
    token, now = enter(clinic, settings).token, NOW
    for _ in range(4):
        now += timedelta(minutes=29)
        sessions.identify(clinic, settings, token, now)
    sessions.identify(clinic, settings, token, now + timedelta(seconds=59))  # not written down
    with pytest.raises(SignInError):
        sessions.identify(clinic, settings, token, now + timedelta(minutes=30))


def test_a_session_ends_one_day_however_much_it_is_used(clinic: Database, settings: Settings) -> None:
    token, end = enter(clinic, settings).token, NOW + timedelta(hours=12)
    now = NOW
    while now < end:
        sessions.identify(clinic, settings, token, now)
        now += timedelta(minutes=20)
    with pytest.raises(SignInError):
        sessions.identify(clinic, settings, token, end)
    enter(clinic, settings, now=end)
    with clinic.reading() as session:
        assert len(session.scalars(select(UserSession)).all()) == 1  # the old one was tidied up


def test_logging_out_ends_this_session_alone(clinic: Database, settings: Settings) -> None:
    first, second = enter(clinic, settings), enter(clinic, settings)
    assert first.token != second.token
    with clinic.writing() as session:
        sessions.logout(session, first.token)
        sessions.logout(session, first.token)
    with pytest.raises(SignInError):
        sessions.identify(clinic, settings, first.token, NOW)
    sessions.identify(clinic, settings, second.token, NOW)


@pytest.mark.parametrize("change", ["password", "role", "disabled"])
def test_changes_of_a_user_end_the_sessions(clinic: Database, settings: Settings, change: str) -> None:
    login, other = enter(clinic, settings), enter(clinic, settings, "ada")
    with clinic.writing() as session:
        if change == "password":
            users.set_password(session, "rita", "another long one", actor="ada", now=NOW, hasher=CHEAP)
        elif change == "role":
            users.set_role(session, "rita", "uploader", actor="ada", now=NOW)
        else:
            users.set_disabled(session, "rita", True, actor="ada", now=NOW)
    with pytest.raises(SignInError):
        sessions.identify(clinic, settings, login.token, NOW)
    sessions.identify(clinic, settings, other.token, NOW)


def test_a_disabled_user_cannot_log_in(clinic: Database, settings: Settings) -> None:
    with clinic.writing() as session:
        users.set_disabled(session, "rita", True, actor="ada", now=NOW)
    with pytest.raises(SignInError, match="Name or password is wrong"):
        enter(clinic, settings)


def test_csrf_tokens_belong_to_their_session(clinic: Database, settings: Settings) -> None:
    first, second = enter(clinic, settings), enter(clinic, settings)
    assert csrf_matches(first.token, first.csrf)
    for wrong in (second.csrf, "", first.token, first.csrf[:-1], "ä\ud800"):
        assert not csrf_matches(first.token, wrong)


def test_guesses_at_one_user_from_one_address_are_limited(clinic: Database, settings: Settings) -> None:
    for n in range(settings.attempts_per_user):
        fail(clinic, settings, now=NOW + n * SECOND)
    assert wait(clinic, settings, now=NOW + timedelta(minutes=5)) == 600
    assert wait(clinic, settings, "RITA", now=NOW + WINDOW - SECOND) == 1
    enter(clinic, settings, "ada")
    fail(clinic, settings, now=NOW + WINDOW)  # the first guess has left the window
    assert wait(clinic, settings, now=NOW + WINDOW) == 1
    enter(clinic, settings, now=NOW + 2 * WINDOW)


def test_a_stranger_does_not_lock_a_user_out(clinic: Database, settings: Settings) -> None:
    for n in range(settings.attempts_per_user):
        fail(clinic, settings, address="198.51.100.7", now=NOW + n * SECOND)
    wait(clinic, settings, address="198.51.100.7", now=NOW + timedelta(minutes=5))
    enter(clinic, settings, now=NOW + timedelta(minutes=5))
    wait(clinic, settings, address="198.51.100.7", now=NOW + timedelta(minutes=5))  # not forgiven


def test_guesses_at_one_user_are_limited_from_wherever_in_the_end(
    clinic: Database, settings: Settings
) -> None:
    few = settings.model_copy(update={"attempts_per_user_anywhere": 3})
    for n in range(3):
        fail(clinic, few, address=f"192.0.2.{n}", now=NOW + n * SECOND)
    assert wait(clinic, few, address="198.51.100.7", now=NOW + timedelta(minutes=5)) == 600
    assert settings.attempts_per_user_anywhere >= 10 * settings.attempts_per_user


def test_who_is_refused_holds_up_nobody_and_waits_for_nobody(clinic: Database, settings: Settings) -> None:
    for _ in range(settings.attempts_per_user):
        fail(clinic, settings)
    with clinic.writing():
        wait(clinic, settings)


def test_a_session_is_known_while_nothing_can_be_written(clinic: Database, settings: Settings) -> None:
    login, later = enter(clinic, settings), NOW + timedelta(minutes=29)
    with clinic.writing():
        assert sessions.identify(clinic, settings, login.token, later) == login.identity
    with pytest.raises(SignInError):  # its use was not noted
        sessions.identify(clinic, settings, login.token, NOW + timedelta(minutes=30))


def test_guesses_from_one_address_are_limited_at_whomever(clinic: Database, settings: Settings) -> None:
    for n in range(settings.attempts_per_address):
        fail(clinic, settings, f"user{n}")
    assert wait(clinic, settings) == WINDOW.total_seconds()
    enter(clinic, settings, address="192.0.2.2")


@pytest.mark.parametrize(
    ("first", "second", "are_one"),
    [
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("192.0.2.1", "192.0.2.2", False),
        ("unix", "unix", True),
    ],
)
def test_what_counts_as_one_address(
    clinic: Database, settings: Settings, first: str, second: str, are_one: bool
) -> None:
    one_only = settings.model_copy(update={"attempts_per_address": 1})
    fail(clinic, one_only, address=first)
    if are_one:
        wait(clinic, one_only, "ada", address=second)
    else:
        enter(clinic, one_only, "ada", address=second)


def test_refused_attempts_do_not_lengthen_the_wait(clinic: Database, settings: Settings) -> None:
    for _ in range(settings.attempts_per_user):
        fail(clinic, settings)
    for minutes in range(15):
        wait(clinic, settings, now=NOW + timedelta(minutes=minutes))
    enter(clinic, settings, now=NOW + WINDOW)


def test_a_success_forgives_the_user_but_not_the_address(clinic: Database, settings: Settings) -> None:
    strict = settings.model_copy(update={"attempts_per_address": 4})
    for _ in range(2):
        fail(clinic, strict, "ada")
    enter(clinic, strict)  # whoever has rita's password cannot go on guessing at ada's for ever
    for _ in range(2):
        fail(clinic, strict, "ada")
    wait(clinic, strict, "ada")
    patient = settings.model_copy(update={"attempts_per_user": 2})
    elsewhere = "198.51.100.7"
    for _ in range(5):
        fail(clinic, patient, address=elsewhere)
        enter(clinic, patient, address=elsewhere)


def test_a_restart_does_not_reset_the_limit(clinic: Database, settings: Settings, database_url: str) -> None:
    for _ in range(settings.attempts_per_user):
        fail(clinic, settings)
    clinic.close()
    wait(Database(database_url), settings)


def test_attempts_at_once_do_not_slip_through(clinic: Database, settings: Settings) -> None:
    outcomes = []

    def guess(_: int) -> None:
        try:
            enter(clinic, settings, password="wrong")  # noqa: S106
        except (SignInError, TooManyAttemptsError) as error:
            outcomes.append(type(error))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(guess, range(16)))
    assert outcomes.count(SignInError) == settings.attempts_per_user
    assert outcomes.count(TooManyAttemptsError) == 16 - settings.attempts_per_user


def test_failures_are_written_down_without_what_was_typed(clinic: Database, settings: Settings) -> None:
    fail(clinic, settings)
    fail(clinic, settings, "my secret password")
    fail(clinic, settings, "\x00\ud800")
    with clinic.reading() as session:
        failures = [entry for entry in audit.entries(session) if entry.action == "login.failed"]
        keys = session.scalars(select(LoginAttempt.key)).all()
        assert audit.verify(session).fault is None
    assert [entry.subject for entry in failures] == ["rita", "unknown", "unknown"]
    assert all(len(key) == 64 and HOME not in key for key in keys)


def test_unknown_disabled_and_wrong_take_the_same_steps(
    clinic: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with clinic.writing() as session:
        users.set_disabled(session, "rita", True, actor="ada", now=NOW)
    asked: list[bool] = []
    matches = passwords.matches

    def counting(password: str, stored: str | None, hasher: PasswordHasher) -> bool:
        asked.append(stored is None)
        return matches(password, stored, hasher)

    monkeypatch.setattr(sessions, "matches", counting)
    for name in ("nobody", "rita", "ada"):
        fail(clinic, settings, name)
    assert asked == [True, True, False]


def test_old_hashes_are_renewed_with_the_login(clinic: Database, settings: Settings) -> None:
    stronger = PasswordHasher(time_cost=2, memory_cost=16, parallelism=1)
    for _ in range(2):
        enter(clinic, settings, hasher=stronger)
    with clinic.reading() as session:
        assert not stronger.check_needs_rehash(users.get(session, "rita").password_hash)
        actions = [entry.action for entry in audit.entries(session, "rita")]
        assert audit.verify(session).fault is None
    assert actions == ["user.created", "user.rehashed"]


def test_a_password_that_is_changed_meanwhile_does_not_open_a_session(
    clinic: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    matches = passwords.matches

    def slow(password: str, stored: str | None, hasher: PasswordHasher) -> bool:
        answer = matches(password, stored, hasher)
        with clinic.writing() as session:
            users.set_password(session, "rita", "another long one", actor="ada", now=NOW, hasher=CHEAP)
        return answer

    monkeypatch.setattr(sessions, "matches", slow)
    with pytest.raises(SignInError):
        enter(clinic, settings)
