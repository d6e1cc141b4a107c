"""The parameters of how the patients of a domain are divided."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from graft.common.names import LabelOrNothing
from graft.common.parameters import Section


class SplitRules(Section):
    """Which site is held out, and how the patients of the other sites are divided.

    Attributes:
        external: the name of the site that is held out, or "" or None.
        labelled: the share of the patients outside the test parts whose labels are used.
        validation: the share of the patients that validates. If it is 0, a validation part that
            the raw data gives stays one, and otherwise there is none.
        folds: of the training patients, if there is no validation part.
        test: the share of the patients that tests.
        duplicates: what happens to images that show one picture. `refuse` stops if they are in
            two parts, `keep-first` leaves out all but one of them, `drop` leaves out all.
    """

    external: LabelOrNothing | None
    labelled: Annotated[float, Field(gt=0, le=1)]
    validation: Annotated[float, Field(ge=0, lt=1)]
    folds: Annotated[int, Field(ge=2, le=1000)]
    test: Annotated[float, Field(gt=0, lt=1)]
    duplicates: Literal["refuse", "keep-first", "drop"]

    @model_validator(mode="after")
    def _leave_some_for_training(self) -> "SplitRules":
        if self.validation + self.test >= 1:
            raise ValueError(
                "test: expected validation + test below 1, so that patients remain to train on"
            )
        return self
