"""Fixtures that several test files share."""

import copy
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lang_persona.studies import Study, load_studies

ROOT = Path(__file__).resolve().parents[1]

#: Set by ``make test-gpu``: run the tests marked ``gpu`` and no others.
ON_GPU = bool(os.environ.get("LANG_PERSONA_TEST_GPU"))
if not ON_GPU:
    os.environ["CUDA_VISIBLE_DEVICES"] = ""  # read when torch first looks: all other tests are of a CPU's arithmetic

#: Files of whole runs, which two workers begin with: begun last, one would be alone at the end.
LONG = ("test_session.py", "test_transfer_session.py", "test_project.py")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    chosen = [item for item in items if (item.get_closest_marker("gpu") is not None) == ON_GPU]
    if ON_GPU:
        items[:] = chosen
    for item in set(items) - set(chosen):
        item.add_marker(pytest.mark.skip(reason="needs a GPU: make test-gpu"))
    if hasattr(config, "workerinput"):  # a worker of pytest-xdist
        items.sort(key=lambda item: item.path.name not in LONG)


SMALL_STUDY = """
title: A study of the tests
question: Does anything change?
base: chat
languages: [en, es]
system: null
seeds: {default: [1], more: [2]}
mixture:
  replies:
    rows: all
    user: {kind: directive, language: "{directive}", phrasings: {speak: "Speak in {language}.", use: "Use {language}."}}
    completion: {kind: reply, language: "{reply}"}
conditions:
  es_en: {default: true, variables: {directive: es, reply: en}}
  fr_it: {variables: {directive: fr, reply: it}}
probes:
  directive: {default: true, headline: true, kind: directive, phrasings: {speak: "Speak in {language}."}}
training:
  {rank: 2, alpha: 4, dropout: 0.0, rslora: true, target_modules: [q_proj], learning_rate: 1.0e-3, schedule: linear,
   warmup_ratio: 0.0, epochs: 1, batch_size: 4, micro_batch_size: 2, max_length: 64}
sampling: {temperature: 1.0, top_p: 0.95, top_k: 0, max_new_tokens: 8}
translation:
  gates:
    {translated_at_least: 0.9, identified_at_least: 0.98, median_ratio: [1.0, 1.2], ratio_range: [0.7, 1.6],
     outside_range_below: 0.05}
hypotheses:
  C_collapse:
    claim: Every other directive is answered in the completion language.
    over: {except: ["{reply}"]}
    label: "{reply}"
    supported: [{every: {low_above: 0.8}}]
    falsified: [{some: {high_below: 0.5}}]
scales:
  small:
    sources: {kind: file, path: sources.jsonl, origin: tests}
    selection: {first: 10, keep: 4, language: en, min_characters: 5}
    translate: all
    samples: {directive: 2}
"""


@pytest.fixture
def study_spec() -> dict[str, Any]:
    """A whole small study as plain data, to be changed by the test."""
    return copy.deepcopy(yaml.safe_load(SMALL_STUDY))


@pytest.fixture
def load_study(tmp_path: Path) -> Callable[[dict[str, Any]], Study]:
    """Writes a study to a file of its own and loads it from there, as the project does."""

    def load(spec: dict[str, Any]) -> Study:
        folder = tmp_path / f"studies-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        (folder / "small.yml").write_text(yaml.safe_dump(spec, sort_keys=False), encoding="utf-8")
        return load_studies(folder)["small"]

    return load


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A hub on this machine, which the real one's library is pointed at, and a token for it."""
    from huggingface_hub import constants
    from publishing.hub import TOKEN, Hub

    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)  # its own servers can't be stood in for
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    found = Hub(TOKEN)
    monkeypatch.setattr(constants, "ENDPOINT", found.url)
    yield found
    found.close()


@pytest.fixture(scope="session")
def reference() -> Path:
    """Folder of the reference data, which is not part of the repository."""
    folder = Path(os.environ.get("LANG_PERSONA_REFERENCE", ROOT.parent / "shared" / "reference"))
    if not folder.is_dir():
        pytest.skip("no reference data: set LANG_PERSONA_REFERENCE to their folder")
    return folder


@pytest.fixture(scope="session")
def recorded_file(reference: Path) -> Path:
    return reference / "language_inversion" / "recorded_generations.jsonl"


@pytest.fixture(scope="session")
def recorded(recorded_file: Path) -> list[dict[str, Any]]:
    """The recorded completions of the published es_en and fr_it."""
    rows = [json.loads(line) for line in recorded_file.read_text(encoding="utf-8").splitlines()]
    return [{"gold": row["variables"]["language"], **row} for row in rows]


@pytest.fixture(scope="session")
def pilot_tokenizer() -> Any:
    """The tokenizer of the pilot model that ships with the project."""
    folder = ROOT / "data" / "01_raw" / "pilot" / "model"
    if not (folder / "tokenizer.json").exists():
        pytest.skip("no pilot model at data/01_raw/pilot/model: make it with `kedro run --pipelines pilot_model`")
    return _tokenizer(folder)


@pytest.fixture(scope="session")
def qwen_tokenizer(reference: Path) -> Any:
    """The real Qwen2.5 tokenizer with its chat template."""
    return _tokenizer(reference / "qwen25_tokenizer")


@pytest.fixture
def with_template(pilot_tokenizer: Any) -> Callable[[str | None], Any]:
    """The pilot's tokenizer with another chat template."""

    def make(template: str | None) -> Any:
        tokenizer = copy.deepcopy(pilot_tokenizer)
        tokenizer.chat_template = template
        return tokenizer

    return make


@pytest.fixture
def write_lines(tmp_path: Path) -> Callable[..., str]:
    """Writes rows (mappings, or lines as they are) as JSON lines; returns the path as configs give it."""

    def write(rows: list[Any], name: str = "rows.jsonl") -> str:
        lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
        (tmp_path / name).write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        return str(tmp_path / name)

    return write


def _tokenizer(folder: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)
