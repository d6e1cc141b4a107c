import pandas as pd
import pytest

from graft.common.files import InputError
from graft.common.tables import write_csv


@pytest.mark.parametrize("text", ["=1+1", "+cmd|' /C calc'!A0", "-cmd", "@SUM(A1)", "\t=1", "＝1"])
def test_a_table_that_a_spreadsheet_would_run_is_not_written(tmp_path, text):
    for table in (pd.DataFrame({"site": ["a", text]}), pd.DataFrame({text: [1.0]})):
        with pytest.raises(InputError, match="expected text that does not begin with = [+] - @"):
            write_csv(tmp_path / "table.csv", table)
        assert list(tmp_path.iterdir()) == []


def test_numbers_and_signs_are_written_as_they_are(tmp_path):
    table = pd.DataFrame({"score": [-0.1, 1e-20], "label": ["-1", "+"], "n": [-1, 2]})
    write_csv(tmp_path / "table.csv", table)
    written = (tmp_path / "table.csv").read_text()
    assert written == "score,label,n\n-0.1,-1,-1\n1e-20,+,2\n"
