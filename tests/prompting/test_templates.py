from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_clip_heatmap.errors import PromptError
from napari_clip_heatmap.prompting.templates import TEMPLATES, fill_template, parse_templates


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_set_has_sentences_with_one_place_each(name):
    sentences = parse_templates(name)
    assert len(set(sentences)) == len(sentences)
    assert all(sentence.count("{}") == 1 for sentence in sentences)
    assert parse_templates(sentences) == sentences


@given(st.text(max_size=20))
def test_a_name_is_put_in_as_it_is(name):
    assert fill_template("a photo of {}", name) == f"a photo of {name}"


def test_sentences_of_ones_own():
    assert parse_templates("my {} here") == ("my {} here",)
    assert parse_templates(["a {}", "a {} ", "{}"]) == ("a {}", "{}")
    assert parse_templates(["my {}", "photo"]) == ("my {}", *TEMPLATES["photo"])


@pytest.mark.parametrize("bad", ["", "holography", [], ["no place"], ["{} and {}"], ["{0}"]])
def test_what_is_no_template_is_told(bad):
    with pytest.raises(PromptError):
        parse_templates(bad)
