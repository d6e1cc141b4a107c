"""What a network without privacy predicts, to show what privacy costs.

It is trained for this comparison alone. Only its predictions of lesions that it was not trained on
are kept.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from graft.data.domain import Domain
from graft.data.image_rows import ImageRows
from graft.data.predictions import probability_columns, probability_table
from graft.data.sealed_tables import write_sealed_table
from graft.data.split import describe_lesions
from graft.networks.saved import Model


def write_without_privacy(
    path: Path, domain: Domain, rows: np.ndarray | None = None, model: Model | None = None
) -> None:
    """Write what the network without privacy predicts, or a table without rows.

    Args:
        path: the table, with the columns `sample` and those of the probabilities.
        domain: the source.
        rows: of its index that the network was not trained on.
        model: the network; None if there is no private training.
    """
    table = pd.DataFrame(columns=["sample", *probability_columns(domain.classes)])
    if model is not None and rows is not None:
        table = probability_table(model.predict(ImageRows(domain.images, rows)), domain.classes)
        table.insert(0, "sample", rows)
    write_sealed_table(path, table, describe_lesions(domain.index))
