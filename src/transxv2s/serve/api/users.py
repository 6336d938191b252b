"""Users: added, changed and shut out by administrators."""

from typing import Annotated

from fastapi import APIRouter, Path, status
from pydantic import BaseModel, ConfigDict, Field

from transxv2s.serve.api import schemas
from transxv2s.serve.api.access import Admin, has_users
from transxv2s.serve.api.context import Server, TheServer
from transxv2s.serve.auth import users
from transxv2s.serve.auth.passwords import LONGEST, SHORTEST
from transxv2s.serve.db import models
from transxv2s.serve.db.models import NAME, Role
from transxv2s.serve.errors import ConflictError

FIRST = (
    "There are no users yet; make the first one on this machine with: transxv2s users add NAME --role admin"
)

router = APIRouter(tags=["users"], prefix="/v1/users")
Name = Annotated[str, Path(max_length=NAME)]


class NewUser(BaseModel):
    """Somebody to add."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    name: str = Field(pattern=rf"^{users.NAME.pattern}$")
    password: str = Field(min_length=SHORTEST, max_length=LONGEST)
    role: Role


class Change(BaseModel):
    """What to change of a user; what is left out stays."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    role: Role | None = None
    password: str | None = Field(default=None, min_length=SHORTEST, max_length=LONGEST)
    disabled: bool | None = None


@router.get("")
def get_users(server: TheServer, actor: Admin) -> list[schemas.User]:
    """All users by name."""
    with server.database.reading() as session:
        return [_answered(user) for user in users.everybody(session)]


@router.post("", status_code=status.HTTP_201_CREATED)
def add_user(server: TheServer, actor: Admin, new: NewUser) -> schemas.User:
    """Adds a user; the first one is made at the command line."""
    check_users(server)
    with server.database.writing() as session:
        user = users.create(session, new.name, new.password, new.role, actor=actor.name, now=server.now())
    return _answered(user)


@router.patch("/{name}")
def change_user(server: TheServer, actor: Admin, name: Name, change: Change) -> schemas.User:
    """Changes role or password, shuts a user out or lets one in again; all of it or nothing."""
    by, now = actor.name, server.now()
    with server.database.writing() as session:
        user = users.get(session, name)
        if change.role is not None:
            users.set_role(session, name, change.role, actor=by, now=now)
        if change.password is not None:
            users.set_password(session, name, change.password, actor=by, now=now)
        if change.disabled is not None:
            users.set_disabled(session, name, change.disabled, actor=by, now=now)
        return _answered(user)


def check_users(server: Server) -> None:
    """Refuses what makes no sense before there are users.

    Raises:
        ConflictError: There are none, and a page or program must not be what ends the local mode.
    """
    if not has_users(server):
        raise ConflictError(FIRST)


def _answered(user: models.User) -> schemas.User:
    return schemas.User(
        name=user.name, role=user.role, created_at=user.created_at, disabled=user.disabled_at is not None
    )
