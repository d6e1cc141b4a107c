"""Find patients who are at two sites, without their pseudonyms.

A site sends a token for each patient: an HMAC of the pseudonym under a key that follows from the
secret patient key and the session. So nobody without the patient key can test whether a token
belongs to a known pseudonym, and tokens of two sessions cannot be compared.
"""

import hashlib
import hmac
from collections.abc import Iterable, Mapping

from graft.common.files import InputError
from graft.common.vocabulary import PUBLISHED_KEYS
from graft.data.domain import Domain
from graft.federated.messages import Description
from graft.keys.find import find_key
from graft.keys.pseudonyms import PUBLISHED_KEY, fingerprint
from graft.keys.settings import PseudonymKey

TOKEN_DIGITS = 32  # hexadecimal


class Tokens:
    """The tokens of patients in one session.

    Args:
        key: the secret patient key of the site.
        session: a random value of the server, other in each session.
    """

    def __init__(self, key: str, session: str) -> None:
        secret = key.encode("utf-8", "surrogateescape")
        self._key = _hmac(secret, f"graft federated session {session}")

    @property
    def proof(self) -> str:
        """The same for all who have the patient key, and of no use in another session."""
        return _hmac(self._key, "proof").hex()[:TOKEN_DIGITS]

    def of(self, pseudonym: str) -> str:
        """The token of a patient."""
        return _hmac(self._key, f"patient {pseudonym}").hex()[:TOKEN_DIGITS]


def key_of(domain: Domain, settings: PseudonymKey) -> str:
    """The secret key that made the pseudonyms of a processed domain.

    Args:
        domain: of the site.
        settings: where the key is.

    Raises:
        InputError: if the key that is found there is another one.
    """
    if domain.patient_key in PUBLISHED_KEYS:
        return PUBLISHED_KEY
    key = find_key(settings)
    if fingerprint(key) != domain.patient_key:
        raise InputError(
            f"domain {domain.name}: patient_key is {domain.patient_key or 'unknown'}, expected "
            f"{fingerprint(key)}, that of the key which is set here (docs/privacy.md)"
        )
    return key


def check_keys(sites: Mapping[str, Description]) -> None:
    """Check that one key made the pseudonyms of all sites.

    Raises:
        InputError: if there are two. A patient at two sites would not be found.
    """
    names = sorted(sites)
    first = sites[names[0]]
    for name in names[1:]:
        site = sites[name]
        if (site.key, site.proof) != (first.key, first.proof):
            raise InputError(
                f"site {name}: patient_key is {site.key or 'unknown'}, expected "
                f"{first.key or 'unknown'} as at site {names[0]}: with two keys, a patient at "
                "both sites would not be found (docs/privacy.md)"
            )


def choose_left_out(sites: Mapping[str, Mapping[str, bool]]) -> dict[str, list[str]]:
    """Which patients each site has to leave out, because another site has them too.

    A patient who is in a test part anywhere is learned from nowhere. Of several sites that would
    learn from a patient, the first one in the order of the names does.

    Args:
        sites: by name, whether the site learns from a patient, by token.

    Returns:
        The tokens to leave out, in their order, by site.
    """
    tested = {token for site in sites.values() for token, learns in site.items() if not learns}
    taken: set[str] = set()
    left_out = {}
    for name in sorted(sites):
        learned = {token for token, learns in sites[name].items() if learns}
        left_out[name] = sorted(learned & (tested | taken))
        taken |= learned
    return left_out


def tokens_of(tokens: Tokens, learned: Iterable[str], tested: Iterable[str]) -> dict[str, bool]:
    """Whether a site learns from a patient, by token. The order of the tokens says nothing."""
    found = {tokens.of(patient): False for patient in tested}
    found |= {tokens.of(patient): True for patient in learned}
    return dict(sorted(found.items()))


def _hmac(key: bytes, message: str) -> bytes:
    return hmac.new(key, message.encode(), hashlib.sha256).digest()
