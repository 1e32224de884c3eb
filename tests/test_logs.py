"""A user's mistake is told once; other errors are logged as ever."""

import logging

import pytest
from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline
from kedro.runner import SequentialRunner

from lang_persona.errors import UserError
from lang_persona.logs import ECHOES, is_no_echo, tell_mistakes_once


def failing(error, cause=None):
    def fail(x):
        raise error from cause

    return fail


@pytest.fixture
def _quiet():
    tell_mistakes_once()
    yield
    for name in ECHOES:
        logging.getLogger(name).removeFilter(is_no_echo)


@pytest.mark.usefixtures("_quiet")
@pytest.mark.parametrize(
    ("error", "cause", "logged"),
    [
        (UserError("a mistake"), None, []),
        (RuntimeError("deep"), UserError("a mistake"), []),
        (RuntimeError("a fault"), None, ["kedro.pipeline.node", "kedro.runner.sequential_runner"]),
    ],
)
def test_kedro_logs_faults_and_no_mistakes(caplog, error, cause, logged):
    pipeline = Pipeline([Node(failing(error, cause), "x", "y", name="fail")])
    with pytest.raises(type(error)):
        SequentialRunner().run(pipeline, DataCatalog.from_config({"x": {"type": "MemoryDataset", "data": 1}}))
    assert [record.name for record in caplog.records if record.levelno >= logging.WARNING] == logged
