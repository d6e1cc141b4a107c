"""The parameters of the explanation."""

from typing import Annotated

from pydantic import Field

from graft.common.parameters import Section


class Explain(Section):
    """The number of hardest cases that are drawn."""

    cases: Annotated[int, Field(ge=0, le=1000)]  # each is a picture on the page
