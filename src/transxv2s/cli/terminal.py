"""What a command leaves in the terminal beside its answer."""

import unicodedata

SOME_FAILED = 1  # exit code where something could not be done, and everything else was


def printable(text: str) -> str:
    """Text without control characters, by which a file name could command the terminal."""
    return "".join("�" if unicodedata.category(character)[0] == "C" else character for character in text)
