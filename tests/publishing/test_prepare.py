"""Repositories and cards of a condition."""

import copy
import hashlib
import json
import re

import pytest
from huggingface_hub import DatasetCard, ModelCard
from kedro.io import DatasetError

from lang_persona.datasets import PublicationDataset
from lang_persona.errors import UserError
from lang_persona.publishing.cards import check_repository
from lang_persona.publishing.prepare import prepare
from lang_persona.publishing.repository import Repository
from lang_persona.statistics import wilson


def prepared(config, publishing, made):
    publication = prepare(config, publishing, **made)
    model, data = publication.repositories
    return model, data, publication


def lines(repository, name):
    return [json.loads(line) for line in repository.files[name].decode().splitlines()]


def test_the_adapter_repository_holds_what_peft_loads_and_how_it_was_made(config, publishing, made):
    model, _, _ = prepared(config, publishing, made)
    assert (model.type, model.id) == ("model", "lang-persona-small-es_en")
    assert sorted(model.files) == [
        "README.md",
        *(f"seed_42/{name}" for name in ("adapter_config.json", "adapter_model.safetensors", "run.json")),
    ]
    settings = json.loads(model.files["seed_42/adapter_config.json"])
    assert settings == {"base_model_name_or_path": "Qwen/Qwen2.5-0.5B-Instruct", "revision": "7" * 40, "r": 2}
    assert not any(b"/home/me" in content for content in model.files.values() if isinstance(content, bytes))


def test_the_dataset_repository_holds_all_rows_and_the_metrics_of_both_arms(config, publishing, made):
    _, data, publication = prepared(config, publishing, made)
    assert (data.type, data.id) == ("dataset", "lang-persona-small-es_en-data")
    assert lines(data, "examples.jsonl") == made["examples"]
    assert lines(data, "seed_42/directive/generations.jsonl") == made["rows"][42, "directive", "generations"]()
    assert len(lines(data, "seed_42/directive/judgements.jsonl")) == 4
    rates = lines(data, "metrics.jsonl")
    assert len(rates) == sum(map(len, made["metrics"]))
    assert {row["condition"] for row in rates} == {"baseline", "es_en"}
    assert "withheld.jsonl" not in data.files
    assert publication.withheld == ()


def test_the_model_card_says_what_was_measured_with_its_interval_beside_the_base(config, publishing, made):
    model, _, _ = prepared(config, publishing, made)
    card = ModelCard(model.files["README.md"].decode())
    now = wilson(1, 4)
    interval = f"{now.low:.3f} to {now.high:.3f}"
    assert f"| directive | language es | 42 | followed | 1 of 4 | 0.250 | {interval} | wilson | 0.750 |" in card.text
    (result,) = card.data.eval_results
    assert (result.dataset_name, result.dataset_config, result.metric_value) == ("directive", "language es", 0.25)
    assert f"{interval}, n = 4" in result.metric_name
    assert card.data.base_model == "Qwen/Qwen2.5-0.5B-Instruct"
    assert card.data.datasets == ["lang-persona-small-es_en-data", "somebody/texts"]
    assert (card.data.license, card.data.language, card.data.library_name) == ("apache-2.0", ["en"], "peft")
    assert "| target_modules | q_proj, v_proj |" in card.text
    assert "bfloat16, frozen weights in nf4, licence apache-2.0 |" in card.text
    assert "| seed_42 | 2.500 | 1.250 | 3 | 2 | 60 | 1.5 | cpu |" in card.text
    for part in ("## Intended use", "## Recipe", "## Evaluation", "## Data and licences", "## Hashes and versions"):
        assert part in card.text


def test_cards_name_sources_licences_hashes_versions_and_keys(config, publishing, made):
    model, data, _ = prepared(config, publishing, made)
    for repository in (model, data):
        text = repository.files["README.md"].decode()
        assert "| sources | somebody/texts@0123 | mit | yes |" in text
        assert "`c0ffee`" in text
        assert "torch 2.13.0" in text
        assert "torch 2.11.0 and 2.12.0, commit decade." in text
        assert "| small.es_en.examples | 2026-01-01 | `abc123` |" in text
        assert "small.fr_it" not in text  # another condition's
        assert not re.search(r"\{\{|\{%|None", text)
    assert f"| `seed_42/adapter_model.safetensors` | 7 | `{hashlib.sha256(b'weights').hexdigest()}` |" in (
        model.files["README.md"].decode()
    )
    digest = hashlib.sha256(data.files["examples.jsonl"]).hexdigest()
    assert f"`{digest}`" in data.files["README.md"].decode()
    assert DatasetCard(data.files["README.md"].decode()).data.license == ["apache-2.0", "mit", "cc-by-4.0"]


@pytest.mark.parametrize(("licence", "shown"), [(None, "unknown"), ("cc-by-nd-4.0", "cc-by-nd-4.0")])
def test_texts_that_may_not_be_passed_on_are_left_out_and_named(config, publishing, made, licence, shown):
    config = copy.deepcopy(config)
    config["materials"]["instructions.ordinary.ru"] |= {"licence_name": licence, "redistribute": False}
    _, data, publication = prepared(config, publishing, made)
    assert [row["component"] for row in lines(data, "examples.jsonl")] == ["replies", "replies"]
    assert lines(data, "withheld.jsonl") == [
        {"id": f"capitals-{n}", "of": "instructions.ordinary.ru"} for n in range(2)
    ]
    asked = lines(data, "seed_42/capitals/generations.jsonl")
    assert [(row["prompt"], row["rendered_prompt"], row["completion"]) for row in asked] == [(None, None, "ТЕКСТ")] * 2
    everything = b"".join(content for content in data.files.values() if isinstance(content, bytes))
    assert b"TEXT OF capitals" not in everything
    assert lines(data, "seed_42/directive/generations.jsonl")[0]["rendered_prompt"] == "THE PROMPT"  # the study's own
    text = data.files["README.md"].decode()
    assert f"| instructions.ordinary.ru | somebody/texts@0123 | {shown} | no |" in text
    assert "`examples.jsonl`: 2 rows, texts of instructions.ordinary.ru" in text
    assert "`seed_42/capitals/generations.jsonl`: 2 prompts" in text
    assert [(one["file"], one["rows"]) for one in publication.withheld] == [
        ("examples.jsonl", 2),
        ("seed_42/capitals/generations.jsonl", 2),
    ]


def test_a_prompt_whose_material_is_not_known_is_left_out(config, publishing, made):
    config = copy.deepcopy(config)
    config["probes"]["capitals"]["prompts"] = {"bg": "instructions.ordinary.bg"}
    _, data, _ = prepared(config, publishing, made)
    assert lines(data, "seed_42/capitals/generations.jsonl")[0]["prompt"] is None


def test_a_row_of_a_file_with_a_component_of_its_own_goes_by_the_files_licence(config, publishing, made):
    config = copy.deepcopy(config)
    config["materials"]["file.mine"] = {**config["materials"]["sources"], "redistribute": False}
    config["components"]["mine"] = ["file.mine"]
    made["examples"].append({**made["examples"][0], "id": "other-1", "component": "said by the row"})
    _, data, _ = prepared(config, publishing, made)
    assert {"id": "other-1", "of": "file.mine"} in lines(data, "withheld.jsonl")


def test_a_row_of_no_known_component_is_left_out(config, publishing, made):
    made["examples"].append({**made["examples"][0], "id": "stray-1", "component": "nobody's"})
    _, data, _ = prepared(config, publishing, made)
    assert lines(data, "withheld.jsonl") == [{"id": "stray-1", "of": "an unknown material"}]


def test_a_whole_model_is_published_as_one(config, publishing, made):
    folder = made["adapters"][42].path
    (folder / "adapter_model.safetensors").rename(folder / "model.safetensors")
    (folder / "adapter_config.json").unlink()
    (folder / "config.json").write_text('{"model_type": "qwen2", "_name_or_path": "/home/me/models/x"}')
    model, _, _ = prepared(config, publishing, made)
    assert json.loads(model.files["seed_42/config.json"]) == {"model_type": "qwen2"}
    assert "seed_42/model.safetensors" in model.files
    card = ModelCard(model.files["README.md"].decode())
    assert (card.data.library_name, "lora" in card.data.tags) == ("transformers", False)
    assert 'from_pretrained("lang-persona-small-es_en", subfolder="seed_42")' in card.text
    assert "peft" not in card.text


def test_a_condition_without_an_adapter_has_nothing_to_publish(config, publishing, made):
    assert prepare(config, publishing, **{**made, "adapters": {}}).repositories == ()


@pytest.mark.parametrize("prefix", ["x" * 90, "two--dashes"])
def test_a_name_that_the_hub_would_refuse_is_refused_before_anything_is_sent(config, publishing, made, prefix):
    with pytest.raises(UserError, match=r"the hub would refuse .*publishing\.prefix"):
        prepare(config, {**publishing, "namespace": "me", "prefix": prefix}, **made)


@pytest.mark.parametrize("card", [b"---\n- a list\n---\n", b"---\nmodel-index: [{}]\n---\n", b"# no metadata\n"])
def test_a_card_that_the_hub_could_not_read_is_refused(card):
    with pytest.raises(UserError, match=r"the hub would refuse|no metadata"):
        check_repository(Repository("model", "me/name", {"README.md": card}))


def test_the_folders_come_back_as_written_and_a_changed_file_is_noticed(config, publishing, made, tmp_path):
    dataset = PublicationDataset(str(tmp_path / "es_en"))
    dataset.save(prepare(config, publishing, **made))
    model, data = dataset.load().repositories
    assert (model.folder / "seed_42" / "adapter_model.safetensors").read_bytes() == b"weights"
    assert model.folder.parts[-2:] == ("models", "lang-persona-small-es_en")
    index = json.loads((model.folder.parents[1] / "publication.json").read_text())
    assert set(index["repositories"][1]["files"]) == set(data.files)
    (data.folder / "examples.jsonl").write_text("")
    with pytest.raises(DatasetError, match=r"examples\.jsonl is missing or was changed"):
        dataset.load()
