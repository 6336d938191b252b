"""Who asks, and whether they may: roles, sessions with CSRF protection, API tokens."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import select

from transxv2s.serve.api.context import Server, TheServer
from transxv2s.serve.audit import LOCAL
from transxv2s.serve.auth import sessions, tokens
from transxv2s.serve.auth.secret import csrf_matches, csrf_token
from transxv2s.serve.auth.users import Identity
from transxv2s.serve.db.models import Role, User
from transxv2s.serve.errors import NotAllowedError, SignInError

COOKIE = "session"
CSRF_HEADER = "X-CSRF-Token"
SAFE = ("GET", "HEAD", "OPTIONS")
RANKS: tuple[Role, ...] = ("uploader", "reviewer", "admin")  # each may do what those before it may
SIGN_IN = "Log in first."
FOREIGN = "The request does not come from a page of this server; reload the page and try again."

Token = Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))]
Cookie = Annotated[str | None, Depends(APIKeyCookie(name=COOKIE, auto_error=False))]


@dataclass(frozen=True)
class Actor:
    """Who asks.

    Attributes:
        name: Of the user, or "local".
        role: The highest.
        csrf: What pages send along with every change; None where no cookie says who asks.
    """

    name: str
    role: Role
    csrf: str | None = None

    @property
    def roles(self) -> tuple[Role, ...]:
        """All roles, the lowest first."""
        return RANKS[: RANKS.index(self.role) + 1]

    def may(self, role: Role) -> bool:
        """Whether this role is among them."""
        return role in self.roles


def has_users(server: Server) -> bool:
    """Whether people must sign in: there are users, or others than the person at this machine get here."""
    if server.settings.needs_users:
        return True
    with server.database.reading() as session:
        return session.scalars(select(User.name).limit(1)).first() is not None


def current(request: Request, server: TheServer, token: Token, cookie: Cookie) -> Actor:
    """Who asks.

    Raises:
        SignInError: Nobody whom the server knows.
        NotAllowedError: A change without the token that the server's own pages send.
    """
    if not has_users(server):
        return Actor(LOCAL, "admin")
    if token is not None:
        with server.database.reading() as session:
            return _actor(tokens.identify(session, token.credentials))
    if not cookie:
        raise SignInError(SIGN_IN)
    identity = sessions.identify(server.database, server.settings, cookie, server.now())
    if request.method not in SAFE and not csrf_matches(cookie, request.headers.get(CSRF_HEADER, "")):
        raise NotAllowedError(FOREIGN)
    return _actor(identity, csrf_token(cookie))


def _actor(identity: Identity, csrf: str | None = None) -> Actor:
    return Actor(identity.name, identity.role, csrf)


def _needing(role: Role) -> Callable[[Actor], Actor]:
    def check(actor: Annotated[Actor, Depends(current)]) -> Actor:
        if not actor.may(role):
            raise NotAllowedError(f"This needs the role {role}; ask an administrator for it.")
        return actor

    return check


Uploader = Annotated[Actor, Depends(_needing("uploader"))]
Reviewer = Annotated[Actor, Depends(_needing("reviewer"))]
Admin = Annotated[Actor, Depends(_needing("admin"))]
