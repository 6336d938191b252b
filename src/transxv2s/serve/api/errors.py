"""Errors as HTTP answers: a status, a kind and one plain sentence. Whatever else is known goes to the log."""

import logging
from collections.abc import Mapping
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from transxv2s.errors import DataError, ImageError, InputError, TransXV2SError
from transxv2s.serve import errors

LOG = logging.getLogger(__name__)
STORAGE_SECONDS = 5  # after which storage that failed may be asked again
HUNG_UP = 499  # as proxies log it: whoever asked has gone, and nobody reads the answer

STATUSES: Mapping[type[TransXV2SError], HTTPStatus] = {
    errors.SignInError: HTTPStatus.UNAUTHORIZED,
    errors.NotAllowedError: HTTPStatus.FORBIDDEN,
    errors.NotFoundError: HTTPStatus.NOT_FOUND,
    errors.UploadTooSlowError: HTTPStatus.REQUEST_TIMEOUT,
    errors.ConflictError: HTTPStatus.CONFLICT,
    errors.UploadTooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.ForeignHostError: HTTPStatus.MISDIRECTED_REQUEST,
    errors.WorkTooSlowError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.TooManyAttemptsError: HTTPStatus.TOO_MANY_REQUESTS,
    errors.RetryLaterError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.StorageUnavailableError: HTTPStatus.SERVICE_UNAVAILABLE,
    DataError: HTTPStatus.CONFLICT,
    ImageError: HTTPStatus.UNPROCESSABLE_ENTITY,
    InputError: HTTPStatus.UNPROCESSABLE_ENTITY,
}
SENTENCES = {
    HTTPStatus.BAD_REQUEST: "The request cannot be read; check what is sent.",
    HTTPStatus.NOT_FOUND: "There is nothing under this address.",
    HTTPStatus.METHOD_NOT_ALLOWED: "This cannot be done with what is under this address.",
}
INTERNAL = "The server made a mistake; try again, and tell its administrator if it happens again."


class Error(BaseModel):
    """What went wrong.

    Attributes:
        kind: For programs, such as "NotFound".
        message: For people: what is wrong and what to do.
    """

    kind: str
    message: str


ERROR_SCHEMA = "#/components/schemas/ErrorBody"


class ErrorBody(BaseModel):
    """The body of every answer that is an error."""

    error: Error


def answer(
    status: int, kind: str, message: str, headers: Mapping[str, str] | None = None, **more: str
) -> JSONResponse:
    """An error as it is sent; `more` goes beside kind and message."""
    content = {"error": {"kind": kind, "message": message, **more}}
    return JSONResponse(content, status, headers=dict(headers or {}))


def answer_to(error: TransXV2SError) -> JSONResponse:
    """What is sent for one of our errors."""
    status = _status(error)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR and not isinstance(error, errors.RetryLaterError):
        LOG.error("%s", error, exc_info=error)
    return answer(status, _kind(error), _sentence(error), _headers(error))


def internal() -> JSONResponse:
    """What is sent for an error that nobody foresaw."""
    return answer(HTTPStatus.INTERNAL_SERVER_ERROR, "Internal", INTERNAL)


def add_handlers(app: FastAPI) -> None:
    """Makes an application answer so."""
    app.add_exception_handler(TransXV2SError, _ours)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _validation)


def _ours(_: Request, error: Exception) -> JSONResponse:
    return answer_to(error) if isinstance(error, TransXV2SError) else internal()


def _http(_: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        return internal()
    status = HTTPStatus(error.status_code)
    kind = status.phrase.title().replace(" ", "").replace("-", "")
    return answer(status, kind, SENTENCES.get(status, f"{status.phrase}."), error.headers)


def _validation(_: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):
        return internal()
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"][1:]) or "the body"
    message = f"What is given for {place} cannot be taken: {first['msg'][0].lower()}{first['msg'][1:]}."
    return answer(HTTPStatus.UNPROCESSABLE_ENTITY, "Input", message)


def _status(error: TransXV2SError) -> HTTPStatus:
    found = (STATUSES[base] for base in type(error).__mro__ if base in STATUSES)
    return next(found, HTTPStatus.INTERNAL_SERVER_ERROR)


def _kind(error: TransXV2SError) -> str:
    return type(error).__name__.removesuffix("Error")


def _sentence(error: TransXV2SError) -> str:
    """The error's own, from a capital letter to a full stop."""
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"


def _headers(error: TransXV2SError) -> dict[str, str]:
    if isinstance(error, errors.StorageUnavailableError):
        return {"Retry-After": str(STORAGE_SECONDS)}
    if isinstance(error, errors.RetryLaterError | errors.TooManyAttemptsError):
        return {"Retry-After": str(error.retry_after)}
    if isinstance(error, errors.SignInError):
        return {"WWW-Authenticate": "Bearer"}
    return {}
