"""The parameters of the ranking of sources."""

from typing import Annotated

from pydantic import Field

from graft.common.names import Identifier
from graft.common.parameters import EachOnce, Section


class Sources(Section):
    """Domains to rank as sources, in addition to the source itself."""

    candidates: Annotated[list[Identifier], Field(max_length=100), EachOnce]
