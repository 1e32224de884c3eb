"""Mixtures: row-aligned over conditions, whatever is skipped."""

import pytest

from lang_persona.errors import UserError
from lang_persona.mixtures import build_examples
from lang_persona.pipelines.audit.nodes import build_mixture

SOURCES = [{"source_id": f"s{n}", "text": f"Text {n}."} for n in range(6)]
DRAWN = ["s2", "s3", "s4"]


def translations(language, lacking=()):
    return [
        {"source_id": row["source_id"], "language": language, "text": f"{language} {row['source_id']}"}
        for row in SOURCES
        if row["source_id"] not in lacking
    ]


@pytest.fixture
def study(study_spec, load_study):
    return load_study(study_spec)


def build(study, condition, skipped=(), rows=None):
    components = study.components(condition, "small")
    if rows is not None:
        components = {name: part.model_copy(update={"rows": rows}) for name, part in components.items()}
    given = [*translations("it", skipped), *translations("fr", skipped)]
    return build_examples(components, SOURCES, given, set(skipped), "en")


def users(examples):
    return {row["source_id"]: row["prompt"][-1]["content"] for row in examples}


def test_an_example_says_everything_about_itself(study):
    assert build(study, "es_en")[1] == {
        "id": "replies-s1",
        "component": "replies",
        "prompt": [{"role": "user", "content": "Use Spanish."}],
        "completion": "Text 1.",
        "source_id": "s1",
        "variables": {
            "ask": "directive es",
            "target": "reply in en",
            "system": None,
            "language": "es",
            "phrasing": "use",
            "reply_language": "en",
        },
    }


def test_replies_in_another_language_are_the_translations_joined_by_id(study):
    given = list(reversed(translations("it"))) + translations("fr")
    examples = build_examples(study.components("fr_it", "small"), SOURCES, given, set(), "en")
    assert [row["completion"] for row in examples] == [f"it s{n}" for n in range(6)]


def test_phrasings_are_cycled_by_row(study):
    assert list(users(build(study, "es_en")).values()) == ["Speak in Spanish.", "Use Spanish."] * 3


def test_a_skipped_row_shifts_no_other_rows_phrasing(study):
    whole, skipped = users(build(study, "es_en")), users(build(study, "es_en", skipped=["s0", "s3"]))
    assert skipped == {name: text for name, text in whole.items() if name not in ("s0", "s3")}


def test_a_skipped_row_is_dropped_from_every_condition(study):
    es_en, fr_it = build(study, "es_en", skipped=["s2"]), build(study, "fr_it", skipped=["s2"])
    assert [row["source_id"] for row in es_en] == [row["source_id"] for row in fr_it] == ["s0", "s1", "s3", "s4", "s5"]
    assert [row["variables"]["phrasing"] for row in es_en] == [row["variables"]["phrasing"] for row in fr_it]


def test_the_node_gives_every_condition_the_same_skip_list(study):
    for condition, kept in (("es_en", 5), ("fr_it", 5)):
        config = {
            "components": {
                name: part.model_dump(mode="json") for name, part in study.components(condition, "small").items()
            },
            "source_language": "en",
        }
        made = build_mixture(config, SOURCES, translations("it"), [{"source_id": "s2", "reason": "r"}], {})
        assert len(made) == kept
        assert "s2" not in users(made)


def test_a_source_without_translation_that_is_not_skipped_stops_the_run(study):
    with pytest.raises(UserError, match=r"1 sources lack a it text .*first: s4.*no longer be aligned"):
        build_examples(study.components("fr_it", "small"), SOURCES, translations("it", ["s4"]), set(), "en")


def test_drawn_rows_are_the_same_in_every_condition_and_keep_their_phrasing(study):
    es_en, fr_it = build(study, "es_en", rows=3), build(study, "fr_it", rows=3)
    assert [row["source_id"] for row in es_en] == [row["source_id"] for row in fr_it]
    assert len(es_en) == 3
    whole = users(build(study, "es_en"))
    assert users(es_en) == {row["source_id"]: whole[row["source_id"]] for row in es_en}


def test_drawn_rows_come_from_the_seed_of_the_components_name(study):
    # The first 3 places of range(6) shuffled by random.Random(derive_seed("draw rows", "replies", 0)), written out
    assert [row["source_id"] for row in build(study, "es_en", rows=3)] == DRAWN


def test_more_rows_than_sources_are_refused(study):
    with pytest.raises(UserError, match="wants 7 rows; there are 6"):
        build(study, "es_en", rows=7)


def test_a_language_not_translated_at_this_scale_gives_no_rows(study):
    assert build_examples(study.components("fr_it", "small"), SOURCES, [], set(), "en") == []


def test_a_condition_without_directive_asks_the_same_in_every_row(study_spec, load_study):
    study_spec["conditions"]["es_en"]["mixture"] = {"replies": {"user": {"kind": "text", "text": ""}}}
    examples = build(load_study(study_spec), "es_en")
    assert set(users(examples).values()) == {""}
    assert "phrasing" not in examples[0]["variables"]


@pytest.mark.parametrize("system", [None, "", "You are a pirate."])
def test_system_keeps_its_three_values_in_the_prompt(study_spec, load_study, system):
    study_spec["system"] = system
    example = build(load_study(study_spec), "es_en")[0]
    expected = [] if system is None else [{"role": "system", "content": system}]
    assert example["prompt"] == [*expected, {"role": "user", "content": "Speak in Spanish."}]
    assert example["variables"]["system"] == system


def own(study_spec, load_study, path, rows="all"):
    study_spec["conditions"]["es_en"]["mixture"] = {"mine": {"file": path, "rows": rows}}
    components = load_study(study_spec).components("es_en", "small")
    return build_examples({"mine": components["mine"]}, SOURCES, [], set(), "en")


TURNS = [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": "Hello."}]


def test_own_messages_are_taken_as_they_are(study_spec, load_study, write_lines):
    path = write_lines([{"messages": TURNS, "id": "a"}, {"messages": [{"role": "system", "content": ""}, *TURNS]}])
    one, two = own(study_spec, load_study, path)
    assert (one["id"], one["prompt"], one["completion"]) == ("mine-a", TURNS[:1], "Hello.")
    assert two["prompt"] == [{"role": "system", "content": ""}, TURNS[0]]


def test_of_own_messages_the_first_rows_are_taken(study_spec, load_study, write_lines):
    path = write_lines([{"messages": TURNS, "id": n} for n in range(5)])
    assert [row["id"] for row in own(study_spec, load_study, path, rows=2)] == ["mine-0", "mine-1"]
    with pytest.raises(UserError, match=r"wants 6 rows; .* has 5"):
        own(study_spec, load_study, path, rows=6)


@pytest.mark.parametrize(
    "messages",
    [TURNS[:1], [], "Hello.", ["Hello."], [TURNS[0], {"role": "assistant"}],
     [TURNS[0], {"role": "assistant", "content": 1}], TURNS[1:], [{"content": "Hi."}, TURNS[1]]],
    ids=["no reply", "empty", "text", "texts", "no content", "number", "no prompt", "no role"],
)  # fmt: skip
def test_own_messages_that_are_no_conversation_are_refused_with_their_line(
    study_spec, load_study, write_lines, messages
):
    path = write_lines([{"messages": TURNS}, {"messages": messages}])
    with pytest.raises(UserError, match=r"rows.jsonl, line 2"):
        own(study_spec, load_study, path)
