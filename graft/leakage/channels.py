"""The channels of two domains, which must agree for a network to learn from one and then the other.

This is no leak. It is checked here because it would otherwise stop the run after hours of training.
"""

from graft.common.files import InputError
from graft.common.shown import counted
from graft.data.domain import Domain
from graft.leakage.rows import CheckRow, passed_check

GREY = 1
COLOUR = 3


def check_channels(source: Domain, target: Domain) -> CheckRow:
    """Return the row of the check that the images of both domains have the same channels.

    Raises:
        InputError: if they differ.
    """
    names = f"{source.name} and {target.name}"
    channels = {domain.name: domain.images.shape[1] for domain in (source, target)}
    count = channels[source.name]
    if count == channels[target.name]:
        found = counted(count, "channel")
        return passed_check("channels", names, "images of both", f"{found} in both")
    kinds = {GREY: "grey", COLOUR: "colour"}
    described = []
    for name, number in channels.items():
        described.append(f"{counted(number, 'channel')} ({kinds.get(number, 'other')}) in {name}")
    advice = ""
    if set(channels.values()) == set(kinds):
        grey = min(channels, key=channels.__getitem__)
        colour = max(channels, key=channels.__getitem__)
        advice = f": set domains.{colour}.channels to grey, or domains.{grey}.channels to rgb"
    raise InputError(
        f"domains.{names}: the images have {' and '.join(described)}, expected as many{advice}"
    )
