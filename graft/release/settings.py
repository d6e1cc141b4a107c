"""The parameters of the folder of a model that is ready to use."""

from typing import Annotated

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from pydantic import AfterValidator

from graft.common.parameters import Section

UNSPECIFIED = "LicenseRef-unspecified"  # nobody said under which licence the model may be used


def check_licence(expression: str) -> str:
    """Return an SPDX licence expression in its canonical form.

    Raises:
        ValueError: if it is none.
    """
    try:
        return canonicalize_license_expression(expression)
    except InvalidLicenseExpression as error:
        raise ValueError(
            "expected an SPDX licence expression, such as Apache-2.0, CC-BY-NC-4.0 or "
            "LicenseRef-name for another one"
        ) from error


Licence = Annotated[str, AfterValidator(check_licence)]


class Release(Section):
    """How the chosen model is passed on.

    Attributes:
        licence: of the model, an SPDX licence expression.
    """

    licence: Licence
