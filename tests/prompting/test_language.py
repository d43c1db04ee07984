from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_clip_heatmap.errors import PromptError
from napari_clip_heatmap.prompting.language import (
    TEMPLATES,
    distinct,
    fill_template,
    parse_phrase,
    parse_prompt,
    parse_templates,
)

words = st.text(st.characters(codec="utf-8", categories=("L", "N", "So")), min_size=1, max_size=8)

names = st.lists(words, min_size=1, max_size=4, unique=True).map(tuple)

spaces = st.sampled_from([" ", "  ", "\t"])


@given(names, st.lists(names, max_size=3, unique=True), st.data())
def test_what_was_put_together_is_taken_apart(phrase, minus, data):
    def joined(parts):
        blank = data.draw(st.sampled_from(["", " ", "  "]))
        return f"{blank}|{blank}".join(parts)

    line = joined(phrase)
    for each in minus:
        line += data.draw(spaces) + "-" + data.draw(spaces) + joined(each)
    prompt = parse_prompt(f" {line} ")
    assert prompt.text == line.strip()
    assert prompt.names == phrase
    assert prompt.minus == tuple(minus)
    assert parse_prompt(prompt.canonical).canonical == prompt.canonical


@pytest.mark.parametrize("line", ["rod-shaped bacteria", "H&E", "a -b", "5-10 µm", "<b>", "🧫"])
def test_what_only_looks_like_a_sign_is_a_word(line):
    assert parse_prompt(line).names == (line,)
    assert parse_prompt(line).minus == ()


@pytest.mark.parametrize(
    "line",
    ["", "  ", None, 3, "|", "a |", "| a", "a | | b", "- a", "a - ", "a - | b", "a - - b", "-"],
)
def test_a_sign_with_nothing_beside_it_is_told(line):
    with pytest.raises(PromptError):
        parse_prompt(line)


def test_a_baseline_takes_no_contrast():
    assert parse_phrase("background | debris") == ("background", "debris")
    with pytest.raises(PromptError, match="no contrast"):
        parse_phrase("background - debris")


def test_prompts_that_ask_the_same_are_one_and_keep_their_first_wording():
    asked = distinct(["a|b", "a | b", "a  -  c", "a - c", "a"])
    assert [prompt.text for prompt in asked] == ["a|b", "a  -  c", "a"]
    assert [prompt.text for prompt in distinct("a word")] == ["a word"]


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
