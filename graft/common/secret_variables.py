"""Environment variables with secrets, whose values must not be written to a file or shown."""

import os
import re
from collections.abc import Iterator, Mapping

from graft.common.files import InputError
from graft.common.shown import shown

# The ends of the names, as in GRAFT_PATIENT_KEY, AWS_SECRET_ACCESS_KEY or GITHUB_TOKEN.
NAMES = re.compile(r"(KEY|SECRET|TOKEN|PASSWORD|PASSPHRASE)$", re.IGNORECASE)
SHORTEST = 6  # characters; a shorter value is found in texts that have nothing to do with it


def redact(text: str) -> str:
    """Replace the values of secret variables in a text by their names, as `$NAME`."""
    for name, value in _secrets():
        text = text.replace(value, f"${name}")
    return text


def refuse_secrets(content: object, place: str) -> None:
    """Refuse parameters that have, or ask for, the value of an environment variable.

    `${oc.env:NAME}` asks for it: DVC and Hydra replace it when they write a parameter file.

    Args:
        content: nested mappings and lists.
        place: where they are, for the message.

    Raises:
        InputError: if a key or a text contains `${` or the value of a secret variable. The message
            does not quote the secret.
    """
    for key, text in _texts(content):
        where = redact(f"{place}: {key}" if key else place)
        for name, value in _secrets():
            if value in text:
                raise InputError(f"{where}: contains the secret value of {name}, remove it")
        if "${" in text:
            raise InputError(f"{where}: got {shown(text)}, expected a value without ${{...}}")


def _secrets() -> Iterator[tuple[str, str]]:
    for name, value in os.environ.items():
        if NAMES.search(name) and len(value.strip()) >= SHORTEST:
            yield name, value.strip()


def _texts(content: object, key: str = "") -> Iterator[tuple[str, str]]:
    """Yield every key and every text, with its dotted key."""
    if isinstance(content, Mapping):
        for name, value in content.items():
            inner = f"{key}.{name}" if key else str(name)
            yield inner, str(name)
            yield from _texts(value, inner)
    elif isinstance(content, list):
        for value in content:
            yield from _texts(value, key)
    elif isinstance(content, str):
        yield key, content
