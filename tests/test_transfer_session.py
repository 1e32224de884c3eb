"""The default run of all studies in the test environment; of the transfer studies every metric, counted again."""

import json
from collections import Counter
from itertools import product
from math import isnan
from statistics import fmean

import pytest
from whole_runs import ROOT, copied_project, run

from lang_persona.judges.base import AXIS_LABELS, NO_CASE
from lang_persona.probes import KINDS
from lang_persona.studies import load_studies

pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings(r"ignore:register_new_resolver")  # Kedro's own

CAPS, REFUSAL = "caps_transfer", "refusal_transfer"
STUDIES = load_studies(ROOT / "conf" / "base" / "studies")
REPORTING = ("collect_results", "decide_hypotheses", "draw_figures", "write_report")
STEPS = ("generate", "judge", "score")
SETTINGS = {"zero", "layer 1, x0.1", "layer 1, x1"}
MEASURED = ("upper_share", "mean_logprob", "repetition")
CONTROLS = {"zero", "steered", "negative", *(f"random_{draw}" for draw in range(1, 6))}
STEERED = STUDIES[CAPS].probes["steered_to_russian"].arms
#: Every default cell and probe: study, probe, arms, values that its results are tabled by.
ASKED = [
    (CAPS, "capitals", ("baseline", "en", "de", "ru"), set(STUDIES[CAPS].languages)),
    (CAPS, "russian_sweep", ("baseline",), SETTINGS),
    (CAPS, "steered_to_russian", STEERED, CONTROLS),
    (REFUSAL, "unsafe", ("baseline", "en", "fr", "zh"), set(STUDIES[REFUSAL].languages)),
    (REFUSAL, "harmless", ("baseline", "en", "fr", "zh"), set(STUDIES[REFUSAL].languages)),
]
CELLS = [(study, probe, arm, values) for study, probe, arms, values in ASKED for arm in arms]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of the project with one finished default run of every study; ``first.json`` names its nodes."""
    with copied_project(tmp_path_factory.mktemp("project")) as folder:
        study = folder / "conf" / "base" / "studies" / f"{CAPS}.yml"
        small, large = (f"{{learning_rate: {rate}, max_steps: 2," for rate in ("1.0e-3", "5.0e-2"))
        assert small in study.read_text()
        study.write_text(study.read_text().replace(small, large))  # two steps that show
        (folder / "first.json").write_text(json.dumps(sorted(run(folder))))
        yield folder


def first_version(project, *parts):
    """The file of a dataset as the first run made it."""
    versions = [one for one in (project / "data/test").joinpath(*parts).iterdir() if not one.name.startswith(".")]
    return min(versions) / parts[-1]


def lines(project, study, arm, probe, kind):
    path = first_version(project, "07_model_output", study, arm, "seed_42", probe, f"{kind}.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()]


def table(project, study, arm, probe):
    """The metrics of a cell and probe by judge, metric and variables."""
    import pandas as pd

    frame = pd.read_parquet(first_version(project, "07_model_output", study, arm, "seed_42", probe, "metrics.parquet"))
    rows = frame.to_dict("records")
    made = {(row["judge"], row["metric"], row["variables"]): row for row in rows}
    assert len(made) == len(rows)
    return made


def variables(**given):
    return json.dumps(given, sort_keys=True, ensure_ascii=False)


def test_a_run_is_of_the_default_cells_and_ends_in_reports(project):
    first = set(json.loads((project / "first.json").read_text()))
    assert {f"{study}.{name}" for study in STUDIES for name in REPORTING} <= first
    trained = {name for name in first if name.endswith("train_adapter")}
    assert trained == {
        f"{name}.{condition}.seed_{seed}.train_adapter"
        for name, study in STUDIES.items()
        for condition, spec in study.conditions.items()
        for seed in study.seeds.default
        if spec.default
    }
    assert {name for name in trained if name.startswith((CAPS, REFUSAL))} == {
        f"{CAPS}.{arm}.seed_42.train_adapter" for arm in ("en", "de", "ru")
    } | {f"{REFUSAL}.{arm}.seed_42.train_adapter" for arm in ("en", "fr", "zh")}
    unasked = ("texts_sweep", "ability")
    assert not [n for n in first if n.startswith((CAPS, REFUSAL)) and any(probe in n for probe in unasked)]
    for study in STUDIES:
        folder = project / "data/test/08_reporting" / study
        page = (folder / "report.md").read_text()
        assert f"# {STUDIES[study].title}" in page
        assert all(hypothesis.claim in page for hypothesis in STUDIES[study].hypotheses.values())
        assert (folder / "report.html").stat().st_size > 10_000


@pytest.mark.parametrize(("study", "probe", "arm", "values"), CELLS, ids=["-".join(cell[:3]) for cell in CELLS])
def test_every_completion_is_judged_on_every_axis_and_every_metric_has_its_rows(project, study, probe, arm, values):
    """Counted again here from completions and judgements: which rows there are, and what they say."""
    kind = KINDS[STUDIES[study].probes[probe].kind]
    asked = STUDIES[study].scales["smoke"].items[probe] * STUDIES[study].scales["smoke"].samples[probe]
    generations, judgements = (lines(project, study, arm, probe, one) for one in ("generations", "judgements"))
    where = {(row["item_id"], row["sample"]): row["variables"][kind.over] for row in generations}
    assert Counter(where.values()) == dict.fromkeys(values, asked)
    axes = {row["judge"]: row["axis"] for row in judgements}
    assert set(axes.values()) == set(kind.axes)
    assert len(judgements) == len(axes) * len(generations)

    wanted, seen = {}, {}
    for judge, value in product(axes, values):
        own = [row for row in judgements if row["judge"] == judge and where[row["item_id"], row["sample"]] == value]
        labels = Counter(row["label"] for row in own)
        assert {row["outcome"] for row in own} == {"ok"} and labels.total() == asked
        for label in {*AXIS_LABELS.get(axes[judge], ()), *labels}:
            wanted[judge, "label_share", variables(**{kind.over: value, "label": label})] = labels[label], asked
        here = variables(**{kind.over: value})
        if axes[judge] == kind.axis and set(labels) != {NO_CASE}:
            gold = {"capitals": "upper", "refused": "full_refusal", "steered_language": "ru"}[kind.hit]
            wanted[judge, kind.hit, here] = labels[gold], asked
        for measure in MEASURED:
            found = [row["details"][measure] for row in own if row["details"].get(measure) is not None]
            if found:
                seen[judge, measure, here] = fmean(found), len(found)
            if measure == "upper_share" and found:
                wanted[judge, "upper_share_median", here] = None, len(found)
            if measure == "upper_share" and len(found) > 1:
                wanted[judge, "upper_share_sd", here] = None, len(found)
    for judge in axes:
        wanted[judge, "outcome", variables(outcome="ok")] = len(generations), len(generations)
    for reason, count in Counter(row["finish_reason"] for row in generations).items():
        wanted["none", "finish", variables(finish_reason=reason)] = count, len(generations)

    rows = table(project, study, arm, probe)
    behaviours = {key for key in rows if key[0] == "rule"}
    assert set(rows) - behaviours == {*wanted, *seen}
    assert behaviours <= {
        ("rule", "behaviour", variables(**{kind.over: value, "behaviour": name}))
        for value in values
        for name in STUDIES[study].probes[probe].behaviours
    }
    assert bool(behaviours) == (probe == "capitals")
    for key, (successes, n) in wanted.items():
        assert rows[key]["n"] == n, key
        if successes is not None:
            assert rows[key]["successes"] == successes, key
    for key, (mean, n) in seen.items():
        assert (rows[key]["estimate"], rows[key]["n"]) == (pytest.approx(mean), n), key
    told = [row for row in rows.values() if not isnan(row["low"])]  # of two equal values no interval can be told
    assert all(row["low"] <= row["estimate"] <= row["high"] for row in told)
    assert {row["metric"] for row in rows.values() if isnan(row["low"])} <= {*MEASURED, "upper_share_sd"}


def test_what_was_chosen_is_what_steered(project):
    chosen = json.loads(first_version(project, "07_model_output", CAPS, "steering", "russian_sweep.json").read_text())
    assert chosen["layer"] == 1 and chosen["coefficient"] in (0.1, 1)
    assert [(row["layer"], row["coefficient"]) for row in chosen["table"]] == [(1, 0), (1, 0.1), (1, 1)]


@pytest.mark.parametrize(("probe", "arms"), [("capitals", ("en", "de", "ru")), ("steered_to_russian", STEERED)])
def test_adapters_are_on_in_every_arm_and_under_every_intervention(project, probe, arms):
    said = {}
    for arm in {"baseline", *arms}:
        rows = lines(project, CAPS, arm, probe, "generations")
        assert {row["condition"] for row in rows} == {arm}
        said[arm] = tuple(row["completion"] for row in rows)
    assert len(set(said.values())) == len(said)


def test_nothing_runs_when_everything_is_fresh(project):
    assert run(project, only_missing=True) == set()


def test_other_coefficients_run_the_sweep_and_what_depends_on_it_and_back_is_free(project):
    file = project / "conf" / "base" / "studies" / f"{CAPS}.yml"
    original = file.read_text()
    changed = original.replace(
        "russian_sweep: &smoke_sweep {layers: [1], coefficients: [0.1, 1], positions: prompt_end}\n"
        "      texts_sweep: *smoke_sweep",
        "russian_sweep: {layers: [1], coefficients: [0.2], positions: prompt_end}\n"
        "      texts_sweep: {layers: [1], coefficients: [0.1, 1], positions: prompt_end}",
    )
    assert changed != original
    file.write_text(changed)
    ran = run(project, only_missing=True)
    assert ran == (
        {f"{CAPS}.steering.{step}_russian_sweep" for step in (*STEPS, "choose_setting")}
        | {f"{CAPS}.{arm}.seed_42.{step}_steered_to_russian" for arm in STEERED for step in STEPS}
        | {f"{CAPS}.{arm}.seed_42.note_scores" for arm in STEERED}
        | {f"{CAPS}.{name}" for name in (*REPORTING, "draw_sweeps")}
    )
    file.write_text(original)
    assert run(project, only_missing=True) == set()
