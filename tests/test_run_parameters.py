"""Parameters of a run: checked before anything is computed."""

import pytest

from lang_persona import run_parameters
from lang_persona.config import validate
from lang_persona.errors import UserError
from lang_persona.run_parameters import Publishing, RunParameters, Tracking, require_trackers

PLACES = {"folder": "tracking", "checkpoints": "checkpoints"}


def tracking(*report_to):
    return Tracking(report_to=report_to, **PLACES)


def test_no_tracker_by_default():
    require_trackers(Tracking(**PLACES))
    assert Tracking(**PLACES).report_to == ()


@pytest.mark.parametrize("tracker", sorted(run_parameters.TRACKERS))
def test_a_tracker_that_is_not_installed_is_named_with_what_to_do(tracker, monkeypatch):
    monkeypatch.setattr(run_parameters, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=rf"report_to names {tracker}, which is not installed: pip install {tracker}"):
        require_trackers(tracking(tracker))


@pytest.mark.parametrize("tracker", sorted(run_parameters.TRACKERS))
def test_an_installed_tracker_is_fine(tracker, monkeypatch):
    monkeypatch.setattr(run_parameters, "find_spec", lambda name: object())
    require_trackers(tracking(tracker))


def test_trackers_are_called_as_transformers_calls_them():
    from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK

    assert set(run_parameters.TRACKERS) <= set(INTEGRATION_TO_CALLBACK)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"tracking": {**PLACES, "report_to": ["comet"]}}, r"tracking\.report_to\.0: .*'wandb' or 'mlflow'"),
        ({"tracking": PLACES, "publishing": {"token": "hf_x"}}, "unknown key 'publishing.token'"),
        ({"tracking": PLACES, "publishing": {"namespace": "me/mine"}}, "publishing.namespace"),
        ({"tracking": PLACES, "label_rows": 0}, "label_rows"),
    ],
)
def test_a_wrong_value_is_named(value, message):
    with pytest.raises(UserError, match=message):
        validate(RunParameters, value, "parameters.yml")


def test_nothing_is_uploaded_or_public_by_default():
    assert Publishing().namespace is None
    assert Publishing().private


@pytest.mark.parametrize("key", ["replay_file", "mixture_file", "label_file"])
def test_a_folder_in_the_place_of_a_file_is_refused_before_anything_below_it_is_read(key, tmp_path):
    with pytest.raises(UserError, match=rf"--params: {key}: {tmp_path} is a folder: name a file"):
        validate(RunParameters, {"tracking": PLACES, key: str(tmp_path)}, "--params")
    assert validate(RunParameters, {"tracking": PLACES, key: str(tmp_path / "gone")}, "--params")  # told by its reader
