"""The parameters of how the patients of a domain are divided."""

from typing import Annotated

from pydantic import Field, model_validator

from graft.common.parameters import Section

OpenShare = Annotated[float, Field(gt=0, lt=1)]


class SplitRules(Section):
    """Which site is held out, and which share of the other patients tests and validates."""

    external: str | None
    labelled: Annotated[float, Field(gt=0, le=1)]
    validation: OpenShare
    test: OpenShare

    @model_validator(mode="after")
    def _leave_some_for_training(self) -> "SplitRules":
        if self.validation + self.test >= 1:
            raise ValueError(
                "test: expected validation + test below 1, so that patients remain to train on"
            )
        return self
