"""Agreement of judges, against published worked examples and by hand; and the cells it leaves undetermined."""

import random

import pytest

from lang_persona.agreement import (
    cohens_kappa,
    indeterminate_cells,
    krippendorff_alpha,
    measure_agreement,
    pool_agreement,
)


def units(*judges):
    """One row a judge, as the sources print them, turned into one row a text; "." is missing."""
    return [
        [None if label == "." else label for label in unit]
        for unit in zip(*(row.split() for row in judges), strict=True)
    ]


#: Krippendorff 2011, sections A to C: two observers of two categories, of five, and four observers with gaps.
WORKED = {
    "A": (units("0 1 0 0 0 0 0 0 1 0", "1 1 1 0 0 1 0 0 0 0"), 0.095),
    "B": (units("a a b b d c c c e d d a", "b a b b b c c c e d d d"), 0.692),
    "C": (
        units(
            "1 2 3 3 2 1 4 1 2 . . .",
            "1 2 3 3 2 2 4 1 2 5 . 3",
            ". 3 3 3 2 3 4 2 2 5 1 .",
            "1 2 3 3 2 4 4 1 2 5 1 .",
        ),
        0.743,
    ),
}


@pytest.mark.parametrize("section", WORKED)
def test_alpha_of_the_published_examples(section):
    labels, published = WORKED[section]
    assert krippendorff_alpha(labels) == pytest.approx(published, abs=5e-4)


def test_alpha_does_not_ask_for_order():
    labels, _ = WORKED["C"]
    shuffled = [random.Random(1).sample(unit, len(unit)) for unit in reversed(labels)]
    assert krippendorff_alpha(shuffled) == pytest.approx(krippendorff_alpha(labels))


def test_texts_with_one_label_count_for_nothing():
    labels, _ = WORKED["B"]
    assert krippendorff_alpha([*labels, ["a", None], [None, "e"], [None, None]]) == krippendorff_alpha(labels)


def test_what_is_not_defined_is_none():
    for labels in ([], [["a", None]], [["a", "a"]] * 5):
        assert krippendorff_alpha(labels) is None
    assert cohens_kappa([], []) is None and cohens_kappa(["a", "a"], ["a", "a"]) is None


def test_one_judge_constant_is_chance():
    assert cohens_kappa(["a"] * 4, ["a", "b", "a", "b"]) == 0.0


def test_opposites_are_below_chance():
    first, second = ["a", "b"] * 10, ["b", "a"] * 10
    assert cohens_kappa(first, second) == -1.0
    assert krippendorff_alpha(zip(first, second, strict=True)) == pytest.approx(1 - 39 * 40 / (1600 - 800))


def test_kappa_by_hand():
    """Cohen's table: 20 yes-yes, 5 yes-no, 10 no-yes, 15 no-no; observed 0.7, expected 0.5."""
    first = ["y"] * 25 + ["n"] * 25
    second = ["y"] * 20 + ["n"] * 5 + ["y"] * 10 + ["n"] * 15
    assert cohens_kappa(first, second) == pytest.approx((0.7 - 0.5) / (1 - 0.5))
    with pytest.raises(ValueError, match="3 labels against 2"):
        cohens_kappa(["a"] * 3, ["a"] * 2)


def rows(labels, condition="c", seed=1, value="en", **outcomes):
    """Completions and their judgements: ``labels`` is judge -> labels."""
    count = len(next(iter(labels.values())))
    key = {"study": "s", "condition": condition, "seed": seed, "probe": "p"}
    generations = [
        {**key, "item_id": f"{value}.a", "sample": n, "variables": {"language": value}} for n in range(count)
    ]
    judgements = [
        {**key, "item_id": f"{value}.a", "sample": n, "judge": judge, "axis": "language", "label": label,
         "outcome": "rate_limited" if label is None else "ok"}
        for judge, given in labels.items()
        for n, label in enumerate(given)
    ]  # fmt: skip
    return generations, judgements


def joined(*parts):
    return [row for generations, _ in parts for row in generations], [row for _, rows_ in parts for row in rows_]


def test_cells_and_arm_are_measured_by_id():
    english = rows({"one": ["en", "en", "fr", None], "two": ["en", "fr", "fr", "en"]})
    french = rows({"one": ["fr", "fr"], "two": ["fr", "fr"]}, value="fr")
    generations, judgements = joined(english, french)
    random.Random(0).shuffle(judgements)
    found = {row["value"]: row for row in measure_agreement(generations, judgements, "language", "language")}
    assert set(found) == {"en", "fr", "all"}
    assert (found["en"]["n"], found["en"]["same"]) == (3, 2)
    assert (found["all"]["n"], found["all"]["same"]) == (5, 4)
    assert found["fr"]["kappa"] is None and found["fr"]["n"] == 2
    names = found["en"]["judges"]
    counts = {tuple(row[:2]): row[2] for row in found["en"]["confusion"]}
    assert counts == {("en", "en"): 1, ("fr", "fr"): 1, (("en", "fr") if names == ["one", "two"] else ("fr", "en")): 1}


def test_other_axes_are_left_aside():
    generations, judgements = rows({"one": ["en"], "two": ["en"]})
    for row in judgements:
        row["axis"] = "refusal"
    assert measure_agreement(generations, judgements, "language", "language") == []


def cells(apart, n=100, checker="claude"):
    """A cell in which the deciding judge says "en" ``apart`` times more often than the checking one."""
    labels = {checker: ["en"] * (n - apart) + ["fr"] * apart, "deciding": ["en"] * n}
    return measure_agreement(*rows(labels), "language", "language")


@pytest.mark.parametrize(("apart", "found"), [(10, []), (11, ["en", "fr"])])
def test_more_than_the_registered_points_make_a_cell_indeterminate(apart, found):
    cell = indeterminate_cells(cells(apart), "deciding", ["claude"], 0.10)
    assert [row["label"] for row in cell] == found
    for row in cell:
        assert row["judges"] == ["deciding", "claude"] and row["difference"] == pytest.approx(0.11)
        assert row["n"] == 100 and row["value"] == "en"
    if cell:
        assert cell[0]["rates"] == [1.0, 0.89]


def test_judges_that_disagree_on_texts_but_not_on_the_rate_decide_alike():
    labels = {"deciding": ["en", "fr"] * 50, "claude": ["fr", "en"] * 50}
    measured = measure_agreement(*rows(labels), "language", "language")
    assert indeterminate_cells(measured, "deciding", ["claude"], 0.10) == []
    assert measured[0]["same"] == 0


def test_a_judge_that_does_not_check_changes_nothing():
    assert indeterminate_cells(cells(50, checker="langdetect"), "deciding", ["claude"], 0.10) == []
    assert indeterminate_cells(cells(50), "other", ["claude"], 0.10) == []


def test_seeds_are_pooled():
    """Twelve points apart under one seed and none under another are six."""
    half = {"deciding": ["en"] * 100, "claude": ["en"] * 88 + ["fr"] * 12}
    same = {"deciding": ["en"] * 100, "claude": ["en"] * 100}
    generations, judgements = joined(rows(half, seed=1), rows(same, seed=2))
    measured = measure_agreement(generations, judgements, "language", "language")
    assert indeterminate_cells(measured, "deciding", ["claude"], 0.10) == []
    assert indeterminate_cells(measured[:1], "deciding", ["claude"], 0.10) != []


def test_arms_and_seeds_are_pooled_for_the_overall_figures():
    first = rows({"one": ["en"] * 20 + ["fr"] * 5, "two": ["en"] * 20 + ["fr"] * 5}, condition="a")
    second = rows({"one": ["en"] * 10 + ["fr"] * 15, "two": ["fr"] * 10 + ["en"] * 15}, condition="b", seed=2)
    measured = measure_agreement(*joined(first, second), "language", "language")
    (overall,) = pool_agreement(measured)
    labels = [
        ["en"] * 20 + ["fr"] * 5 + ["en"] * 10 + ["fr"] * 15,
        ["en"] * 20 + ["fr"] * 5 + ["fr"] * 10 + ["en"] * 15,
    ]
    assert (overall["n"], overall["same"]) == (50, 25)
    assert overall["kappa"] == pytest.approx(cohens_kappa(*labels))
    assert overall["alpha"] == pytest.approx(krippendorff_alpha(zip(*labels, strict=True)))
    assert overall["judges"] == ["one", "two"] and sum(count for _, _, count in overall["confusion"]) == 50
