"""What is kept and what goes when versions are pruned, on a project whose sources are selected twice."""

import os
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from projects import ROOT, one_study
from reporting.toy_language import inputs_of

from lang_persona.cli import cli
from lang_persona.prune import LISTED, prunable
from lang_persona.reporting import render_report

STUDY = "language_inversion"


@pytest.fixture
def project(tmp_path):
    """A copy of the project with one study, and in it."""
    one_study(tmp_path, STUDY)
    before = Path.cwd()
    os.chdir(tmp_path)
    yield tmp_path
    os.chdir(before)
    bootstrap_project(ROOT)


def select(project, env="test"):
    bootstrap_project(project)
    with KedroSession.create(project_path=project, env=env) as session:
        session.run(pipeline_names=["data_engineering"], only_missing_outputs=True)


def prune(project, *arguments, answer=None):
    metadata = bootstrap_project(project)
    done = CliRunner().invoke(cli, ["prune", "--env", "test", *arguments], obj=metadata, input=answer)
    assert done.exit_code == 0, done.output
    return done.output


def versions(project):
    return sorted(item.name for item in (project / "data/test/02_intermediate" / STUDY / "sources.jsonl").iterdir())


def change(project, keep):
    path = project / "conf/base/studies" / f"{STUDY}.yml"
    text = path.read_text()
    path.write_text(text.replace("keep: 32", f"keep: {keep}"))
    assert path.read_text() != text


@pytest.fixture
def twice(project):
    """Two versions of the sources, the second of them current; returns the first one's name."""
    select(project)
    (first,) = versions(project)
    change(project, 31)
    select(project)
    assert len(versions(project)) == 2
    return first


def test_a_stale_version_goes_and_the_current_one_stays(project, twice):
    told = prune(project, answer="n\n")
    assert twice in told
    assert "2 versions" in told  # the sources and their ledger
    assert len(versions(project)) == 2
    labels = project / "data/test/08_reporting/human_labels/accuracy.json"
    for version in ("v1", "v2"):  # made by what was said on a command line, which no config repeats
        (labels / version).mkdir(parents=True)
        (labels / version / "accuracy.json").write_text("{}")
        (labels / version / "version.json").write_text('{"key": "k"}')
    assert "Removed 3 versions" in prune(project, "--yes")
    assert [item.name for item in labels.iterdir()] == ["v2"]
    assert twice not in versions(project)
    assert len(versions(project)) == 1


def test_what_another_environment_with_the_same_data_refers_to_stays(project, twice):
    for name, root in (("other", "data/test"), ("elsewhere", "data/elsewhere")):
        shutil.copytree(project / "conf/test", project / "conf" / name)
        (project / "conf" / name / "globals.yml").write_text(f"data_root: {root}\n")
    parameters = project / "conf/other/parameters.yml"
    parameters.write_text(parameters.read_text().replace("scale: smoke", "scale: pilot"))
    select(project, "other")
    assert len(versions(project)) == 3
    told = prune(project, "--yes")
    assert "environments: other, test" in told
    assert len(versions(project)) == 2
    assert twice not in versions(project)


def test_what_a_published_report_lists_stays(project, twice):
    stamp = project / "data/test/02_intermediate" / STUDY / "sources.jsonl" / twice / "version.json"
    key = stamp.read_text().split('"key": "')[1].split('"')[0]
    page = project / "data/test/08_reporting" / STUDY / "report.md"
    page.parent.mkdir(parents=True)
    page.write_text(f"# Report\n\n| data set | version | key |\n| {STUDY}.sources | {twice} | {key} |\n")
    prune(project, "--yes")
    assert twice in versions(project)


def test_rows_are_read_as_a_report_writes_them():
    made_of = {f"{STUDY}.sources": {"version": "2026-01-01T00.00.00.000Z", "key": 32 * "a"}}
    page = render_report(replace(inputs_of(), provenance={"datasets": made_of}))["report.md"]
    assert LISTED.findall(page) == [("2026-01-01T00.00.00.000Z", 32 * "a")]


def test_half_written_versions_go_only_when_they_are_old(tmp_path):
    young, old = (tmp_path / "06_models" / name / ".v1.abc.partial" for name in ("young", "old"))
    for folder in (young, old):
        folder.mkdir(parents=True)
    yesterday = time.time() - 25 * 3600
    os.utime(old, (yesterday, yesterday))
    (found,) = prunable(tmp_path, set())
    assert (found.path, found.why) == (old, "unfinished")


def test_data_beside_the_layers_is_left_alone(tmp_path):
    for place in ("02_intermediate/s/sources.jsonl/v1", "pod/02_intermediate/s/sources.jsonl/v1", "01_raw/x/v1"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "version.json").write_text('{"key": "k", "version": "v1"}')
    assert [one.path for one in prunable(tmp_path, set())] == [tmp_path / "02_intermediate/s/sources.jsonl/v1"]
