"""Pseudonyms of patients, made with a secret key."""

import hashlib
import hmac

from graft.common.vocabulary import PUBLISHED

PUBLISHED_KEY = "graft: a published key, which hides nobody"
DIGITS = 16  # hexadecimal
FINGERPRINT_DIGITS = 8  # hexadecimal
FINGERPRINTED = "graft key fingerprint"
KEYED = "graft keyed sha256"


def pseudonym(patient: str, key: str) -> str:
    """DIGITS digits of HMAC-SHA256 (RFC 2104): the same for a patient and a key in all domains."""
    return _digest(patient, key)[:DIGITS]


def fingerprint(key: str) -> str:
    """Tell keys apart without giving them away: PUBLISHED, or a few digits of an HMAC."""
    if key == PUBLISHED_KEY:
        return PUBLISHED
    return _digest(FINGERPRINTED, key)[:FINGERPRINT_DIGITS]


def keyed_sha256(sha256: str, key: str) -> str:
    """A digest of a SHA-256 that nobody can compare with their own data without the key."""
    return _digest(f"{KEYED} {sha256}", key)


def _digest(text: str, key: str) -> str:
    # Names of files and variables of the environment need not be UTF-8.
    encoded = key.encode("utf-8", "surrogateescape")
    message = text.encode("utf-8", "surrogateescape")
    return hmac.new(encoded, message, hashlib.sha256).hexdigest()
