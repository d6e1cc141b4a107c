"""Pseudonyms of patients, made with a secret key."""

import hashlib
import hmac
import os
from pathlib import Path

from graft.common.files import InputError
from graft.ingest.settings import PseudonymKey

PUBLISHED_KEY = "graft: a published key, which hides nobody"
DIGITS = 16  # hexadecimal


def pseudonym(patient: str, key: str) -> str:
    """DIGITS digits of HMAC-SHA256 (RFC 2104): the same for a patient and a key in all domains."""
    return hmac.new(key.encode(), patient.encode(), hashlib.sha256).hexdigest()[:DIGITS]


def find_key(settings: PseudonymKey) -> str:
    """The key from the environment, or from the file, or the published one.

    Raises InputError if the file lies in the current folder, cannot be read or is empty.
    """
    key = os.environ.get(settings.key_variable)
    if key:
        return key
    if settings.key_file is None:
        return PUBLISHED_KEY
    return _read_key(Path(settings.key_file).expanduser())


def _read_key(file: Path) -> str:
    if file.resolve().is_relative_to(Path.cwd().resolve()):
        raise InputError(
            f"privacy.key_file: {file} lies in this folder, expected one outside, "
            "where git cannot see it"
        )
    try:
        key = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        # The message must not show the content of the file.
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise InputError(
            f"privacy.key_file: {file} cannot be read ({reason}), expected a line with the key"
        ) from None
    if not key:
        raise InputError(f"privacy.key_file: {file} is empty, expected a line with the key")
    return key
