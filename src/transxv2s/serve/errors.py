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


class ForeignImagesError(TransXV2SError):
    """The folder of images belongs to another database."""

    def __init__(self) -> None:
        super().__init__(
            "The images in data_dir belong to another database, so none is stored or deleted: use the "
            "settings of that one, or name another data_dir."
        )


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


class NotAllowedError(TransXV2SError):
    """Who asks may not do this, or the request comes from another site."""


class ForeignHostError(TransXV2SError):
    """The request is for a name that this server does not go by."""

    def __init__(self) -> None:
        super().__init__(
            "This server is not known under this name: use its address, or let its administrator list the "
            "name in the setting hosts."
        )


class UploadTooLargeError(TransXV2SError):
    """A request has more bytes than are taken."""


class UploadTooSlowError(TransXV2SError):
    """A request did not arrive in time."""

    def __init__(self) -> None:
        super().__init__("The upload took too long; send it again over a faster connection.")


class RetryLaterError(TransXV2SError):
    """The server cannot do this now.

    Attributes:
        retry_after: Seconds until trying again makes sense.
    """

    retry_after = 5


class BusyError(RetryLaterError):
    """Too much is waiting already."""

    def __init__(self) -> None:
        super().__init__("Too many images are waiting to be examined; try again in a few seconds.")


class StartingError(RetryLaterError):
    """The network is not loaded."""

    def __init__(self) -> None:
        super().__init__("The network is still being loaded; try again in a few seconds.")


class WorkTooSlowError(TransXV2SError):
    """A worker was not done in time and was killed."""

    def __init__(self) -> None:
        super().__init__("Examining the image took too long and was given up; send a smaller image.")


class WorkerLostError(TransXV2SError):
    """A worker has died at its work, or failed in a way that nobody foresaw."""

    def __init__(self) -> None:
        super().__init__(
            "Examining the image failed; send it once more, and tell the administrator if it fails again."
        )
