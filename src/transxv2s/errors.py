"""The errors a user can meet: each is one sentence that says what is wrong and what to do."""


class TransXV2SError(Exception):
    """Base of every error that is meant for the user and not for a traceback."""


class ImageError(TransXV2SError):
    """An image cannot be used.

    Attributes:
        name: File name or the name the caller gave to bytes.
        reason: What is wrong and what to do, without the name.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.reason = reason

    def __reduce__(self) -> tuple[type["ImageError"], tuple[str, str]]:
        return type(self), (self.name, self.reason)


class CheckpointError(TransXV2SError):
    """A checkpoint directory is damaged, incomplete or not one of ours."""


class ConfigError(TransXV2SError):
    """A configuration file or value is wrong."""


class DataError(TransXV2SError):
    """A data set is missing, incomplete or contradicts itself."""


class LeakageError(DataError):
    """A split puts images of one lesion, or copies of one picture, on both sides."""


class InputError(TransXV2SError, ValueError):
    """A tensor or array has a shape, type or range that the called function does not take."""


class DivergenceError(TransXV2SError):
    """Training came to a loss, score or weight that is not a finite number."""


class TrainingStoppedError(TransXV2SError):
    """Training was asked to stop (Ctrl-C, SIGTERM) and can be resumed."""


class WeightsUnavailableError(TransXV2SError):
    """Published weights could not be fetched, usually because there is no network."""
