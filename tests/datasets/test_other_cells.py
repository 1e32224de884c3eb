"""What other runs evaluated is read-only."""

import pytest
from kedro.io.core import DatasetError

from lang_persona.datasets import OtherCells


def test_outside_a_run_there_are_no_other_cells():
    assert OtherCells().load() == {}


def test_other_runs_outputs_are_not_written():
    with pytest.raises(DatasetError, match="read-only"):
        OtherCells().save({"a": 1})
