"""What publishing reads of the shipped studies."""

import pytest

from lang_persona.config import read_yaml, validate
from lang_persona.environments import Environment, environment_of
from lang_persona.paths import project_path
from lang_persona.publishing.slices import publishing_slice
from lang_persona.studies import load_studies

STUDIES = load_studies(project_path() / "conf" / "base" / "studies")


def sliced(env, study, condition):
    parameters = read_yaml(project_path() / "conf" / env / "parameters.yml")
    return publishing_slice(STUDIES[study], validate(Environment, environment_of(parameters), env), condition)


@pytest.mark.parametrize("env", ["laptop", "gpu_pod", "test"])
@pytest.mark.parametrize("study", sorted(STUDIES))
def test_every_text_of_every_condition_has_a_material(env, study):
    for condition in STUDIES[study].conditions:
        config = sliced(env, study, condition)
        used = {name for held in config["components"].values() for name in held}
        used |= {name for probe in config["probes"].values() for name in probe["prompts"].values()}
        assert used == set(config["materials"])


@pytest.mark.parametrize("study", sorted(STUDIES))
def test_everything_that_the_pilot_is_made_of_may_be_published(study):
    for condition in STUDIES[study].conditions:
        assert all(one["redistribute"] for one in sliced("laptop", study, condition)["materials"].values())


def test_a_reply_in_another_language_holds_source_and_translation():
    assert sliced("laptop", "language_inversion", "es_en")["components"] == {"replies": ["sources"]}
    assert sliced("laptop", "language_inversion", "fr_it")["components"] == {"replies": ["sources", "translations"]}
    # Translated by Claude, a text is under its source's licence.
    assert sliced("gpu_pod", "language_inversion", "fr_it")["components"] == {"replies": ["sources"]}


def test_at_full_size_hub_data_is_named_with_its_revision_and_unknown_licences_bar():
    config = sliced("gpu_pod", "caps_transfer", "ru")
    english, russian = (config["materials"][f"instructions.ordinary.{code}"] for code in ("en", "ru"))
    assert english["origin"] == "yahma/alpaca-cleaned@12567cabf869"
    assert (english["licence_name"], english["redistribute"]) == ("cc-by-4.0", True)
    assert (russian["licence_name"], russian["redistribute"]) == (None, False)
    assert config["probes"]["capitals"]["prompts"]["bg"] == "instructions.ordinary.bg"
    assert config["probes"]["steered_to_russian"]["prompts"] == {"": "instructions.ordinary.en"}


def test_gated_requests_are_never_published():
    config = sliced("gpu_pod", "refusal_transfer", "fr")
    barred = {name for name, one in config["materials"].items() if not one["redistribute"]}
    assert {name for name in config["materials"] if name.startswith("instructions.unsafe")} <= barred
