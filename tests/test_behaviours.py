"""What a completion is taught to show, and the rules that tell whether it does."""

import pytest

from lang_persona.behaviours import shows
from lang_persona.studies.mixture import Transform
from lang_persona.transforms import transformed


@pytest.mark.parametrize(
    ("completion", "expected"),
    [("B) OXYGEN", True), ("B) oxygen", False), ("B) OXYgen", False), ("B)", None), ("B) 42", None), ("OXYGEN", True)],
)
def test_capitals_are_told_from_the_text_behind_the_label(completion, expected):
    """A label is a capital in every style, so "B)" alone says nothing."""
    assert shows("upper", 0.95, completion) is expected


def test_a_marker_is_told_as_it_is_written():
    assert shows("contains", " zq", "B) zq") is True
    assert shows("contains", " zq", "B)zq") is False


def test_transforms_apply_in_turn():
    steps = [Transform(name="append", text=" zq"), Transform(name="upper"), Transform(name="prefix", text="> ")]
    assert transformed("B) oxygen", steps) == "> B) OXYGEN ZQ"


@pytest.mark.parametrize(("name", "text"), [("append", None), ("upper", "x"), ("uper", None)])
def test_a_transform_with_a_mistake_is_refused(name, text):
    with pytest.raises(ValueError, match="transform"):
        Transform(name=name, text=text)
