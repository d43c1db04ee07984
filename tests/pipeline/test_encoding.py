from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_clip_heatmap.errors import PromptError
from napari_clip_heatmap.pipeline.encode import encode
from napari_clip_heatmap.pipeline.scoring import NEUTRAL_PROMPTS

WORDS = ["red", "green", "blue", "nuclei", "actin filaments", "debris", "a cat"]
MANY = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
prompt_lists = st.lists(st.sampled_from(WORDS), min_size=1, max_size=6)
scores = st.sampled_from(["relative", "absolute"])


@pytest.fixture
def encoding(model):
    image = np.random.default_rng(3).integers(0, 256, (50, 70, 3), np.uint8)
    return encode(model, image, downsample=1)


@MANY
@given(prompts=prompt_lists, seed=st.integers(0, 99), score=scores)
def test_order_and_repetition_of_prompts_change_no_map(encoding, prompts, seed, score):
    shuffled = list(np.random.default_rng(seed).permutation([*prompts, *prompts[:2]]))
    one, other = encoding.heatmaps(prompts, score), encoding.heatmaps(shuffled, score)
    assert one.prompts == tuple(dict.fromkeys(prompts))
    assert other.prompts == tuple(dict.fromkeys(shuffled))
    order = [other.prompts.index(prompt) for prompt in one.prompts]
    np.testing.assert_allclose(other.values[order], one.values, atol=1e-6)
    np.testing.assert_allclose(other.similarity[order], one.similarity, atol=1e-6)


@MANY
@given(prompts=prompt_lists.filter(lambda prompts: len(set(prompts)) > 1))
def test_relative_maps_sum_to_zero_over_prompts(encoding, prompts):
    values = encoding.heatmaps(prompts, "relative").values
    np.testing.assert_allclose(values.sum(axis=0), 0, atol=1e-5)


@MANY
@given(prompts=prompt_lists)
def test_absolute_maps_do_not_depend_on_the_other_prompts(encoding, prompts):
    together = encoding.heatmaps(prompts, "absolute")
    for prompt, values in zip(together.prompts, together.values, strict=True):
        alone = encoding.heatmaps([prompt], "absolute")
        np.testing.assert_allclose(alone.values[0], values, atol=1e-6)


@pytest.mark.parametrize("pair", [("red", "nuclei"), ("nuclei", "red")])
def test_two_relative_maps_mirror_one_another_and_say_so(encoding, pair):
    maps = encoding.heatmaps(pair)
    np.testing.assert_allclose(maps.values[0], -maps.values[1], atol=1e-6)
    assert any("mirror" in note for note in maps.notes)


def test_contrast_takes_off_the_mean_over_its_baseline(encoding):
    baseline = ["debris", "a cat", "debris"]
    maps = encoding.heatmaps(["red", "blue"], "contrast", baseline=baseline)
    absolute = encoding.heatmaps(["red", "blue", "debris", "a cat"], "absolute").values
    np.testing.assert_allclose(maps.values, absolute[:2] - absolute[2:].mean(0), atol=1e-6)
    assert maps.baseline == ("debris", "a cat")
    assert maps.notes == ()


def test_one_prompt_is_relative_to_the_neutral_set_and_says_so(encoding):
    maps = encoding.heatmaps(["red"])
    expected = encoding.heatmaps(["red"], "contrast", baseline=NEUTRAL_PROMPTS)
    np.testing.assert_array_equal(maps.values, expected.values)
    assert maps.baseline == NEUTRAL_PROMPTS
    assert any("neutral" in note for note in maps.notes)
    assert np.ptp(maps.values) > 0


def test_values_are_cosine_shares(encoding):
    """The share of a patch is its token times the unit direction; red is the first coordinate."""
    maps = encoding.heatmaps(["red"], "absolute")
    np.testing.assert_array_equal(maps.lattice_values[0], encoding.token_map[..., 0])
    assert maps.values.dtype == maps.similarity.dtype == maps.lattice_values.dtype == np.float32
    np.testing.assert_allclose(maps.similarity, encoding.embedding[:1], rtol=1e-6)


def test_similarity_is_the_same_under_every_score(encoding):
    all_maps = [
        encoding.heatmaps(["red", "blue"], "relative"),
        encoding.heatmaps(["red", "blue"], "absolute"),
        encoding.heatmaps(["red", "blue"], "contrast", baseline="debris"),
    ]
    for maps in all_maps:
        np.testing.assert_array_equal(maps.similarity, all_maps[0].similarity)


def test_spaces_around_words_count_for_nothing(encoding):
    assert encoding.heatmaps([" red", "red ", "blue"]).prompts == ("red", "blue")


def test_a_bare_string_is_one_prompt(encoding):
    assert encoding.heatmaps("red").prompts == ("red",)


def test_words_the_model_cannot_judge_are_named(encoding):
    prompt = "one two three four five six seven eight nine ten"
    notes = encoding.heatmaps([prompt, "xylem", "blue"]).notes
    assert len(notes) == 2
    assert "did not see: 'nine ten'" in notes[0]
    assert "never trained on: 'xylem'" in notes[1]


def test_baseline_words_are_judged_too_but_not_the_neutral_set(encoding):
    notes = encoding.heatmaps(["red"], "contrast", baseline=["xylem"]).notes
    assert len(notes) == 1
    assert "'xylem'" in notes[0]


def test_a_prompt_that_is_its_own_baseline_says_so(encoding):
    maps = encoding.heatmaps(["red", "blue"], "contrast", baseline=["red"])
    assert "zero" in maps.notes[0]
    np.testing.assert_array_equal(maps.values[0], 0)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"prompts": []}, "no prompts"),
        ({"prompts": ""}, "at least one word"),
        ({"prompts": ["red", " \t"]}, "at least one word"),
        ({"prompts": ["red", None]}, "None"),
        (
            {"prompts": ["red"], "score": "best"},
            "'best'.*'relative', 'balanced', 'absolute', 'contrast'",
        ),
        ({"prompts": ["red"], "score": "contrast"}, "baseline"),
        ({"prompts": ["red"], "score": "contrast", "baseline": [" "]}, "baseline prompts"),
        ({"prompts": ["red"], "baseline": ["blue"]}, "uses none"),
    ],
)
def test_bad_prompts_are_refused(encoding, arguments, words):
    with pytest.raises(PromptError, match=words):
        encoding.heatmaps(**arguments)


def test_pictures(encoding):
    maps = encoding.heatmaps(["red", "green", "nuclei"])
    unit = maps.normalized()
    np.testing.assert_allclose(unit.min((1, 2)), 0)
    np.testing.assert_allclose(unit.max((1, 2)), 1)
    assert maps.jet().dtype == np.uint8
    assert maps.jet().shape == (3, 50, 70, 3)


def test_the_record_is_frozen(encoding):
    with pytest.raises(dataclasses.FrozenInstanceError):
        encoding.downsample = 3
    for array in (encoding.token_map, encoding.embedding, encoding.valid):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_scoring_needs_no_image_tower(encoding, model):
    before = list(model.batches)
    encoding.heatmaps(["red", "blue"])
    assert model.batches == before
    held = [getattr(encoding, field.name) for field in dataclasses.fields(encoding)]
    assert not any(part is model for part in held)


def test_origin_is_told_in_json(encoding):
    reported = json.loads(json.dumps(encoding.describe()))
    assert reported["model"]["name"] == "fake"
    assert reported["image_shape"] == [50, 70]
    assert reported["grid"] == [13, 18]
    assert reported["tile"] == [32, 32]
    assert reported["overlap"] == 0.5
