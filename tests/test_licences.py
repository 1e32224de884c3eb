"""Licences in configs: typed, out of recipe keys, and deciding what is published."""

import pytest

from lang_persona.config import validate
from lang_persona.environments import Base
from lang_persona.errors import UserError
from lang_persona.licences import LICENCES, OtherLicence, licence_name, may_redistribute
from lang_persona.studies import FileSource

SOURCE = {"kind": "file", "path": "x.jsonl", "origin": "mine"}


def test_an_unknown_licence_may_not_be_redistributed():
    source = validate(FileSource, SOURCE, "here")
    assert source.licence is None
    assert not may_redistribute(source.licence)


def test_licences_without_derivatives_do_not_let_mixtures_be_passed_on():
    assert not any(may_redistribute(name) for name in LICENCES if "-nd-" in name)
    assert all(may_redistribute(name) for name in ("mit", "cc-by-sa-4.0", "cc-by-nc-4.0"))


@pytest.mark.parametrize("allowed", [True, False])
def test_other_terms_say_themselves_whether_they_allow_it(allowed):
    own = {"name": "house rules", "redistribute": allowed, "link": "https://example.org"}
    licence = validate(FileSource, {**SOURCE, "licence": own}, "here").licence
    assert isinstance(licence, OtherLicence)
    assert licence_name(licence) == "house rules"
    assert may_redistribute(licence) is allowed


def test_a_misspelt_licence_is_refused_with_the_known_ones():
    with pytest.raises(UserError, match=r"here: .*unknown licence 'MIT'; known: apache-2\.0, mit"):
        validate(FileSource, {**SOURCE, "licence": "MIT"}, "here")


@pytest.mark.parametrize(
    ("model", "value"), [(FileSource, SOURCE), (Base, {"path": "x", "dtype": "float32"})], ids=["source", "base"]
)
def test_a_licence_is_no_part_of_what_nodes_read(model, value):
    """So that finding out a licence trains nothing again."""
    with_licence, without = (validate(model, own, "here").model_dump() for own in ({**value, "licence": "mit"}, value))
    assert with_licence == without
