"""The prompt language in scores: what must change nothing, and what each sign must do."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_clip_heatmap.errors import PromptError
from napari_clip_heatmap.pipeline.encode import encode
from napari_clip_heatmap.pipeline.scoring import NEUTRAL_PROMPTS, build_scoring
from napari_clip_heatmap.prompting.language import fill_template, parse_templates

WORDS = ["red", "green", "blue", "nuclei", "actin filaments", "debris", "a cat"]
MANY = settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
some = st.lists(st.sampled_from(WORDS), min_size=2, max_size=4, unique=True)
templates = st.sampled_from(["plain", "photo", "fluorescence", ("my {}", "{}")])


@pytest.fixture
def encoding(model):
    image = np.random.default_rng(3).integers(0, 256, (50, 70, 3), np.uint8)
    return encode(model, image, downsample=1)


@MANY
@given(some, templates)
def test_a_direction_is_the_unit_mean_over_names_of_unit_means_over_templates(
    model, names, sentences
):
    got = build_scoring(model.text, [" | ".join(names)], "absolute", templates=sentences).text[0]
    units = []
    for name in names:
        texts = [fill_template(each, name) for each in parse_templates(sentences)]
        mean = model.text.encode(texts).double().mean(dim=0)
        units.append(mean / mean.norm())
    mean = torch.stack(units).mean(dim=0)
    np.testing.assert_allclose(got, (mean / mean.norm()).numpy(), atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(got), 1, atol=1e-6)


@MANY
@given(some, st.randoms(use_true_random=False), templates)
def test_order_and_repetition_of_names_and_templates_change_nothing(
    model, names, random, sentences
):
    shuffled = [*names, names[0]]
    random.shuffle(shuffled)
    own = list(parse_templates(sentences))
    turned = own[::-1] + own
    one = build_scoring(model.text, [" | ".join(names)], "absolute", templates=own)
    other = build_scoring(model.text, [" | ".join(shuffled)], "absolute", templates=turned)
    np.testing.assert_allclose(other.text, one.text, atol=1e-6)


def test_a_plain_prompt_is_to_the_last_digit_what_the_encoder_gives(model):
    got = build_scoring(model.text, ["red", "a cat"], "absolute")
    np.testing.assert_array_equal(got.directions, model.text.encode(["red", "a cat"]).numpy())


@pytest.mark.parametrize("score", ["relative", "absolute", "softmax"])
def test_a_contrast_of_its_own_is_what_the_contrast_score_gives(encoding, score):
    expected = encoding.heatmaps(["red"], "contrast", baseline=["debris", "a cat"])
    if score == "softmax":
        directions = build_scoring(encoding.text, ["red - debris - a cat"], score).directions[0]
        contrast = build_scoring(encoding.text, ["red"], "contrast", ["debris", "a cat"])
        np.testing.assert_allclose(directions, contrast.directions[0], atol=1e-7)
        return
    got = encoding.heatmaps(["blue", "red - debris - a cat", "green"], score)
    np.testing.assert_allclose(got.values[1], expected.values[0], atol=1e-6)
    np.testing.assert_allclose(got.similarity[1], expected.similarity[0], atol=1e-6)


@MANY
@given(some)
def test_a_prompt_with_its_own_contrast_leaves_the_others_as_they_are(encoding, words):
    plain = encoding.heatmaps(words, "relative")
    mixed = encoding.heatmaps([*words, "a dog - a cat"], "relative")
    np.testing.assert_allclose(mixed.values[:-1], plain.values, atol=1e-6)


def test_one_prompt_to_compare_beside_a_contrast_is_relative_to_the_neutral_set(encoding):
    maps = encoding.heatmaps(["red", "a dog - a cat"])
    np.testing.assert_allclose(maps.values[0], encoding.heatmaps(["red"]).values[0], atol=1e-6)
    assert maps.baseline == NEUTRAL_PROMPTS
    assert not any("mirror" in note for note in maps.notes)


def test_the_contrast_score_needs_no_baseline_where_every_prompt_has_its_own(encoding):
    maps = encoding.heatmaps(["red - blue"], "contrast")
    np.testing.assert_array_equal(maps.values, encoding.heatmaps(["red - blue"], "absolute").values)
    with pytest.raises(PromptError, match="baseline"):
        encoding.heatmaps(["red - blue", "green"], "contrast")


def test_a_thing_contrasted_with_itself_is_zero_and_says_so(encoding):
    maps = encoding.heatmaps(["red - red", "blue", "green"])
    np.testing.assert_allclose(maps.values[0], 0, atol=1e-7)
    assert any("itself" in note for note in maps.notes)


@MANY
@given(some)
def test_probabilities_sum_to_one_and_follow_the_definition(encoding, words):
    maps = encoding.heatmaps(words, "softmax")
    absolute = encoding.heatmaps(words, "absolute").lattice_values.astype(np.float64)
    n_patches = encoding.lattice.y.cells_per_tile * encoding.lattice.x.cells_per_tile
    logits = absolute * encoding.text.logit_scale * n_patches
    odds = np.exp(logits - logits.max(axis=0))
    np.testing.assert_allclose(maps.lattice_values, odds / odds.sum(axis=0), atol=1e-4)
    np.testing.assert_allclose(maps.values.sum(axis=0), 1, atol=1e-5)
    assert maps.unit == "probability"


@pytest.mark.parametrize("baseline", [(), ("debris", "a cat")])
def test_one_prompt_competes_with_the_baseline_or_the_neutral_set(encoding, baseline):
    rivals = baseline or NEUTRAL_PROMPTS
    maps = encoding.heatmaps(["red"], "softmax", baseline=baseline)
    among = encoding.heatmaps(["red", *rivals], "softmax")
    np.testing.assert_allclose(maps.values[0], among.values[0], atol=1e-6)
    assert maps.values.shape[0] == 1
    assert maps.baseline == tuple(rivals)


def test_a_recipe_tells_every_text_that_was_encoded(encoding):
    maps = encoding.heatmaps(["red | blue - debris"], "absolute", templates=["my {}", "{}"])
    assert maps.recipes == (
        {"texts": ["my red", "red", "my blue", "blue"], "minus": ["my debris", "debris"]},
    )


@pytest.mark.parametrize(
    ("prompts", "options"),
    [
        (["red |"], {}),
        (["red"], {"score": "sigmoid"}),
        (["red"], {"baseline": ["blue"]}),
        (["red"], {"score": "contrast", "baseline": ["blue - green"]}),
        (["red"], {"templates": "holography"}),
    ],
)
def test_what_cannot_be_scored_is_told(encoding, prompts, options):
    with pytest.raises(PromptError):
        encoding.heatmaps(prompts, **options)
