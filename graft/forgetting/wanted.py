"""The patient that a user wants to be forgotten, under a name or under a pseudonym."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from graft.common.files import InputError, read_json
from graft.common.vocabulary import PUBLISHED_KEYS
from graft.data.domain import DOCUMENT
from graft.keys.find import find_key, private_file
from graft.keys.pseudonyms import PUBLISHED_KEY, fingerprint, pseudonym
from graft.keys.settings import PseudonymKey


@dataclass(frozen=True)
class Wanted:
    """What the user typed, and the keys under which a patient may have a pseudonym.

    Attributes:
        text: the name or number of the raw data, or a pseudonym. It must never be printed.
        keys: the published key, and the secret one if there is one.
    """

    text: str
    keys: Sequence[str]

    def is_patient(self, name: str) -> bool:
        """Whether a patient of the raw data is meant."""
        return name == self.text or self.text in self.pseudonyms(name)

    def is_pseudonym(self, text: str) -> bool:
        """Whether a pseudonym is that of the patient."""
        return text == self.text or text in self.pseudonyms(self.text)

    def pseudonyms(self, name: str) -> list[str]:
        """The pseudonym of a name under each key."""
        return [pseudonym(name, key) for key in self.keys]


def make_wanted(text: str, key: PseudonymKey, processed: Path) -> Wanted:
    """The patient whom a text means.

    A secret key is used if there is one. None is made: it would give pseudonyms that nothing has.

    Raises:
        InputError: if the text is empty, or if a processed domain has pseudonyms of another key.
    """
    text = text.strip()
    if not text:
        raise InputError("the patient: got nothing, expected a name, a number or a pseudonym")
    keys = [PUBLISHED_KEY]
    is_given = os.environ.get(key.key_variable) or key.key_file is not None
    if is_given or os.path.lexists(private_file()):
        keys.append(find_key(key))
    known = {*PUBLISHED_KEYS, "", *map(fingerprint, keys)}
    for document in sorted(processed.glob(f"*/{DOCUMENT}")):
        found = _key_of(document)
        if found not in known:
            raise InputError(
                f"{document}: has pseudonyms under the key {found}, expected one under the key "
                f"that is here ({', '.join(map(fingerprint, keys))}): set {key.key_variable} or "
                "privacy.key_file to that key, or delete the folder"
            )
    return Wanted(text, keys)


def _key_of(document: Path) -> str:
    try:
        return str(read_json(document).get("patient_key", ""))
    except InputError:  # damaged: it will be deleted, or the search finds what is in it
        return ""
