"""Random tokens: 256 bits, given away once, stored as a hash."""

import hashlib
import hmac
import secrets

BYTES = 32


def new_token(prefix: str = "") -> str:
    """A token of 43 characters that are safe in cookies and headers, after the prefix."""
    return prefix + secrets.token_urlsafe(BYTES)


def token_hash(token: str) -> str:
    """What is stored of a token; without salt, as nobody can guess 256 bits."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def csrf_token(session_token: str) -> str:
    """What a page of a session sends along to show that it is ours; the stored hash does not tell it."""
    return hmac.new(session_token.encode("utf-8", "surrogatepass"), b"csrf", hashlib.sha256).hexdigest()


def csrf_matches(session_token: str, given: str) -> bool:
    """Whether what was sent along belongs to the session."""
    return hmac.compare_digest(csrf_token(session_token).encode(), given.encode("utf-8", "surrogatepass"))
