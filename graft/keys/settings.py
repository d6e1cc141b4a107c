"""The parameters of the secret key."""

from typing import Annotated

from pydantic import Field

from graft.common.names import Text
from graft.common.parameters import Section


class PseudonymKey(Section):
    """Where the key of the pseudonyms is found."""

    key_variable: Annotated[str, Field(pattern="^[A-Za-z_][A-Za-z0-9_]*$", max_length=100)]
    key_file: Text | None
