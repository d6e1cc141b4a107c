"""report.html: predictions as one page."""

from collections.abc import Mapping, Sequence

from graft.prediction.cut import Input
from graft.prediction.predictor import Predictor, Result


def render_page(
    predictor: Predictor, results: Sequence[Result], inputs: Mapping[int, Input], method: str
) -> str:
    """Render the page."""
    raise NotImplementedError
