"""Signing in and out in a browser."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response, status
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from transxv2s.serve.api import schemas
from transxv2s.serve.api.access import COOKIE, Actor, Cookie, Token, current, has_users
from transxv2s.serve.api.context import TheServer
from transxv2s.serve.api.errors import ErrorBody, answer
from transxv2s.serve.audit import LOCAL
from transxv2s.serve.auth import sessions
from transxv2s.serve.auth.passwords import LONGEST
from transxv2s.serve.db.models import NAME
from transxv2s.serve.errors import ConflictError, SignInError

router = APIRouter(tags=["session"])


class Credentials(BaseModel):
    """Who signs in."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    name: str = Field(max_length=NAME)
    password: str = Field(max_length=LONGEST)


@router.get(
    "/v1/session",
    response_model=schemas.Session,
    responses={status.HTTP_401_UNAUTHORIZED: {"model": ErrorBody}},
)
def get_session(
    request: Request, server: TheServer, token: Token, cookie: Cookie
) -> schemas.Session | JSONResponse:
    """Who is signed in, and what pages send along with changes."""
    try:
        return _described(current(request, server, token, cookie))
    except SignInError as error:
        return answer(status.HTTP_401_UNAUTHORIZED, "SignIn", str(error), mode="users")


@router.post("/v1/session")
def sign_in(
    request: Request, server: TheServer, credentials: Credentials, response: Response
) -> schemas.Session:
    """Signs in and sets the cookie."""
    if not has_users(server):
        raise ConflictError("There are no users, so nobody needs to log in.")
    opened = sessions.login(
        server.database,
        server.settings,
        credentials.name,
        credentials.password,
        address=request.client.host if request.client else "unknown",
        now=server.now(),
    )
    response.set_cookie(
        COOKIE,
        opened.token,
        httponly=True,
        samesite="strict",
        secure=server.settings.needs_users,
        max_age=3600 * server.settings.session_hours,
    )
    return _described(Actor(opened.identity.name, opened.identity.role, opened.csrf))


@router.delete("/v1/session", status_code=status.HTTP_204_NO_CONTENT)
def sign_out(
    server: TheServer, actor: Annotated[Actor, Depends(current)], cookie: Cookie, response: Response
) -> None:
    """Signs out; the cookie is void from then on."""
    if cookie:
        with server.database.writing() as session:
            sessions.logout(session, cookie)
    response.delete_cookie(COOKIE)


def _described(actor: Actor) -> schemas.Session:
    return schemas.Session(
        mode="local" if actor.name == LOCAL else "users",  # no user may be called so
        name=actor.name,
        roles=list(actor.roles),
        csrf=actor.csrf,
    )
