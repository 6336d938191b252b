"""API tokens of oneself; an administrator's also of others."""

from typing import Annotated

from fastapi import APIRouter, Query, status
from pydantic import BaseModel, ConfigDict, Field

from transxv2s.serve.api import schemas
from transxv2s.serve.api.access import Actor, Uploader
from transxv2s.serve.api.context import TheServer
from transxv2s.serve.api.users import check_users
from transxv2s.serve.auth import tokens, users
from transxv2s.serve.db.models import NAME
from transxv2s.serve.errors import NotAllowedError

router = APIRouter(tags=["tokens"], prefix="/v1/tokens")
NAMED = rf"^[\w.@-][\w .@-]{{0,{NAME - 1}}}$"  # nothing that cannot be shown
USER = rf"^{users.NAME.pattern}$"
Owner = Annotated[str | None, Query(pattern=USER, description="Whose; by default one's own.")]


class Wish(BaseModel):
    """A token to make."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern=NAMED, description="What to call it.")
    owner: str | None = Field(default=None, pattern=USER, description="Whose; by default one's own.")


@router.get("")
def get_tokens(server: TheServer, actor: Uploader, owner: Owner = None) -> list[schemas.Token]:
    """Tokens, revoked ones too; never the tokens themselves."""
    whose = _whose(actor, owner)
    with server.database.reading() as session:
        return [schemas.Token.model_validate(token) for token in tokens.of(session, whose)]


@router.post("", status_code=status.HTTP_201_CREATED)
def make_token(server: TheServer, actor: Uploader, wish: Wish) -> schemas.NewToken:
    """Makes a token, which is told this once."""
    check_users(server)
    whose = _whose(actor, wish.owner)
    with server.database.writing() as session:
        token, secret = tokens.create(session, whose, wish.name, actor=actor.name, now=server.now())
    return schemas.NewToken(**schemas.Token.model_validate(token).model_dump(), token=secret)


@router.delete("/{token_id}", status_code=status.HTTP_204_NO_CONTENT)
def revoke_token(server: TheServer, actor: Uploader, token_id: str, owner: Owner = None) -> None:
    """Makes a token void for good."""
    whose = _whose(actor, owner)
    with server.database.writing() as session:
        tokens.revoke(session, whose, token_id, actor=actor.name, now=server.now())


def _whose(actor: Actor, owner: str | None) -> str:
    if owner is None or owner == actor.name:
        return actor.name
    if not actor.may("admin"):
        raise NotAllowedError("Tokens of others need the role admin; ask an administrator.")
    return owner
