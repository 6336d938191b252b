"""What a user of the server can meet, each one plain sentence without a path, address or version."""

from transxv2s.errors import TransXV2SError


class StorageUnavailableError(TransXV2SError):
    """Database or disk do not answer, or are full; nothing of what was asked for has happened."""

    def __init__(self) -> None:
        super().__init__("The storage does not answer or is full, so nothing was changed; try again later.")


class SchemaError(TransXV2SError):
    """The database belongs to another version of the program."""


class DamagedImageError(TransXV2SError):
    """A stored image is gone or is not what was stored."""


class NotFoundError(TransXV2SError):
    """There is no such case, user or token, or it has been deleted."""


class ConflictError(TransXV2SError):
    """What is asked for contradicts what is there."""


class SignInError(TransXV2SError):
    """Name, password or token are wrong, or the session has ended; which of them is not said."""


class TooManyAttemptsError(TransXV2SError):
    """Too many failed attempts to log in.

    Attributes:
        retry_after: Seconds until the next attempt is looked at, at least 1.
    """

    def __init__(self, retry_after: int) -> None:
        minutes = -(-retry_after // 60)
        super().__init__(f"Too many attempts to log in; try again in {minutes} minute{'s' * (minutes > 1)}.")
        self.retry_after = retry_after
