import pytest
from pydantic import ValidationError

from graft.release.settings import Release


@pytest.mark.parametrize(
    ("given", "licence"),
    [
        ("apache-2.0", "Apache-2.0"),
        ("CC-BY-NC-4.0", "CC-BY-NC-4.0"),
        ("LicenseRef-hospital", "LicenseRef-hospital"),
        ("MIT OR Apache-2.0", "MIT OR Apache-2.0"),
    ],
)
def test_a_licence_of_spdx_gets_its_usual_spelling(given, licence):
    assert Release(licence=given).licence == licence


@pytest.mark.parametrize("given", ["", "free", "CC BY 4.0", "Apache-2.0\n# x", None, 3])
def test_what_is_no_licence_is_refused(given):
    with pytest.raises(ValidationError):
        Release(licence=given)
