"""What all sites have to agree on, so that one network can train at all of them."""

from collections.abc import Mapping
from typing import Any

from graft.common.code import LIBRARIES, code_digest, library_versions
from graft.common.files import InputError
from graft.common.shown import shown
from graft.data.domain import Domain
from graft.federated.messages import Description
from graft.federated.settings import SiteParameters

CODE = ["data", "federated", "networks", "training"]  # that decides what a site answers
DIGITS = 8  # of a digest in a message


def running_code() -> str:
    """The first digits of a digest of the code that decides what a site answers."""
    return code_digest(CODE)[:DIGITS]


def agreed_values(domain: Domain, parameters: SiteParameters) -> dict[str, Any]:
    """The values that have to be the same at all sites, by the key that a message shows."""
    channels, *patch = domain.images.shape[1:]
    values = {
        "graft": running_code(),
        "torch": library_versions(LIBRARIES)["torch"],
        "classes": list(domain.classes),
        "channels": channels,
        "patch": patch,
    }
    for key in ("spacing", "window", "intensity"):
        values[key] = domain.preprocessing.get(key)
    for section, content in parameters.model_dump(exclude={"training": {"device"}}).items():
        if not isinstance(content, dict):
            values[section] = content
            continue
        for key, value in content.items():
            values[f"{section}.{key}"] = value
    return values


def check_agreement(sites: Mapping[str, Description]) -> None:
    """Compare all sites with the first one in the order of the names, and its code with this one.

    Raises:
        InputError: if a value differs. It names the site, the key and both values.
    """
    names = sorted(sites)
    expected = sites[names[0]].agreed
    if expected.get("graft") != running_code():
        raise InputError(
            f"site {names[0]}: graft is {shown(expected.get('graft'))}, expected "
            f"{running_code()!r} as at the server: the same version"
        )
    for name in names[1:]:
        found = sites[name].agreed
        for key in sorted(expected.keys() | found.keys()):
            if found.get(key) != expected.get(key):
                raise InputError(
                    f"site {name}: {key} is {shown(found.get(key))}, expected "
                    f"{shown(expected.get(key))} as at site {names[0]}"
                )
