"""The keys of the pseudonyms, by which one patient is recognised in two domains."""

from collections.abc import Sequence

from graft.common.files import InputError
from graft.common.vocabulary import PUBLISHED_KEYS, SYNTHETIC
from graft.data.domain import Domain
from graft.leakage.rows import CheckRow, passed_check


def check_keys(domains: Sequence[Domain]) -> list[CheckRow]:
    """Check that one key made the pseudonyms of all domains, apart from synthetic patients.

    With two keys, a patient of both domains would have two pseudonyms and not be found. Synthetic
    patients are in no other domain, so their key may differ.

    Args:
        domains: whose patients are compared.

    Returns:
        A row for each domain, with its key.

    Raises:
        InputError: if two keys were used.
    """
    real = [domain for domain in domains if domain.patient_key != SYNTHETIC]
    for domain in real:
        if domain.patient_key != real[0].patient_key:
            raise InputError(
                f"domains.{real[0].name} and {domain.name}: their pseudonyms were made with two "
                f"keys ({_describe(real[0])}; {_describe(domain)}), so a patient of both would not "
                "be found; expected one key: set it and type "
                "dvc repro --force --single-item preprocess"
            )
    rows = []
    for domain in domains:
        looked_at = domain.count(domain.index)
        rows.append(passed_check("pseudonyms", domain.name, looked_at, _describe(domain)))
    return rows


def _describe(domain: Domain) -> str:
    key = domain.patient_key
    if not key:
        return "unknown key"
    return PUBLISHED_KEYS.get(key, f"private key {key}")
