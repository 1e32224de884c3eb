"""Wrong names given to ``kedro run``."""

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from kedro.framework.cli.project import run as kedros_run
from kedro.framework.startup import bootstrap_project

from lang_persona.cli import cli
from lang_persona.errors import UserError
from lang_persona.run_names import checked

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _in_the_project(monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("KEDRO_ENV", raising=False)


def invoke(*arguments, command=cli.commands["run"]):
    bootstrap_project(ROOT)
    return CliRunner().invoke(command, arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--pipelines nonsense", "no pipeline 'nonsense'; `kedro registry list` names all"),
        ("--pipelines language_inversion.it_frr", "did you mean language_inversion.it_fr or"),
        ("--pipeline it_fr", "no pipeline 'it_fr'; did you mean language_inversion.it_fr? `kedro registry"),
        ("--tags=evaluatio", "no tag 'evaluatio'; did you mean evaluation or translation? there are audit,"),
        ("--tags=evaluation,nonsense", "no tag 'nonsense'; there are"),  # Kedro ignores it
        ("--namespaces=language_inversion.es_enn", "no namespace 'language_inversion.es_enn'; did you mean"),
        ("--nodes nonsense", "no node 'nonsense'; `kedro registry describe all` names all"),
        ("--from-nodes audit_mixtures", "did you mean caps_transfer.audit_mixtures or"),
        ("--to-nodes nonsense", "no node 'nonsense'"),
        ("--from-inputs nonsense", "no dataset 'nonsense'; `kedro catalog resolve-patterns` names all"),
        ("--to-outputs replay.metric", "did you mean replay.metrics"),
        ("--load-versions nonsense:2026-01-01T00.00.00.000Z", "no dataset 'nonsense'"),
        ("--env gpu_podd", "no environment 'gpu_podd'; did you mean gpu_pod? there are gpu_pod, laptop, test"),
        ("--runner=lang_persona.runners.RaiRunner", "did you mean lang_persona.runners.RayRunner or"),
        ("--runner=lang_personas.RayRunner", "no runner 'lang_personas.RayRunner'; "),
    ],
)
def test_a_wrong_name_is_told_with_close_names(arguments, message):
    done = invoke(*arguments.split())
    assert done.exit_code == 1
    assert isinstance(done.exception, SystemExit)  # what click makes of a message
    assert message in done.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            "--pipelines evaluation --namespaces=language_inversion.it_fr",
            "`kedro run --pipelines language_inversion.it_fr --tags=evaluation`",
        ),
        ("--namespaces=language_inversion.it_fr", "`kedro run --pipelines language_inversion.it_fr`"),
        (
            "--pipelines evaluation --namespaces=language_inversion.it_fr.seed_43",
            "`kedro run --pipelines all --namespaces=language_inversion.it_fr.seed_43 --tags=evaluation`",
        ),
        ("--pipelines plan --tags=evaluation", "pipeline plan has no node of tag evaluation; `kedro registry describe"),
    ],
)
def test_right_names_that_no_node_has_together_say_what_to_run(arguments, message):
    done = invoke("--env", "test", *arguments.split())
    assert done.exit_code == 1
    assert isinstance(done.exception, SystemExit)
    assert message in done.output


def test_the_command_line_shows_the_message_alone():
    command = [sys.executable, "-m", "kedro", "run", "--tags=evaluatio"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stdout + done.stderr == f"Error: {done.stderr.removeprefix('Error: ')}"
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("error", [ValueError("unexpected"), KeyError("unexpected"), UserError("a message")])
def test_other_errors_stay_what_they_are(error):
    def fail(**_):
        raise error

    command = click.Command("run", params=kedros_run.params, callback=fail)
    done = invoke("--pipelines", "replay", command=checked(command))
    assert done.exit_code == 1
    assert done.exception is error or (isinstance(error, UserError) and "Error: a message" in done.output)


def test_an_environment_named_by_a_variable_is_checked_too(monkeypatch):
    monkeypatch.setenv("KEDRO_ENV", "laptopp")
    assert "no environment 'laptopp'; did you mean laptop?" in invoke().output


def test_a_runner_that_needs_what_is_not_installed_is_no_unknown_one(monkeypatch):
    def missing(*_):
        raise ModuleNotFoundError("No module named 'ray'", name="ray")

    monkeypatch.setattr("lang_persona.run_names.load_obj", missing)
    done = invoke("--runner=lang_persona.runners.RayRunner")
    assert isinstance(done.exception, ModuleNotFoundError)


def test_the_options_are_kedros():
    assert cli.commands["run"].params == kedros_run.params
    assert kedros_run.callback is not cli.commands["run"].callback
