"""Keyed digests compare texts that must not be stored, such as names and numbers of people."""

import hashlib
import hmac

DIGITS = 24  # hexadecimal


def keyed_digest(text: str, secret: str) -> str:
    """DIGITS digits of HMAC-SHA256 (RFC 2104), which nobody can guess without the secret."""
    # Names of files and variables of the environment need not be UTF-8.
    encoded = secret.encode("utf-8", "surrogateescape")
    message = f"graft scan: {text}".encode("utf-8", "surrogateescape")
    return hmac.new(encoded, message, hashlib.sha256).hexdigest()[:DIGITS]
