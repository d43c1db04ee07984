"""What the honesty check must hold whatever the model: on a model whose directions are known."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_clip_heatmap.api import load_model
from napari_clip_heatmap.imaging.region import Region
from napari_clip_heatmap.pipeline.encode import encode
from napari_clip_heatmap.pipeline.nonsense import NONSENSE
from napari_clip_heatmap.pipeline.null_reference import correlations, make_null_reference
from napari_clip_heatmap.pipeline.presence import least_trust, token_covariance
from napari_clip_heatmap.pipeline.progressive import encode_progressively
from napari_clip_heatmap.pipeline.scoring import build_scoring
from napari_clip_heatmap.pipeline.trust import Trust, Verdict
from napari_clip_heatmap.pipeline.verdicts import assess, assess_scoring

WORDS = ["red", "green", "blue", "nuclei", "actin filaments", "debris", "a cat", "wug", "xylem"]
MANY = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
prompt_lists = st.lists(st.sampled_from(WORDS), min_size=1, max_size=6, unique=True)


@pytest.fixture
def encoding(model):
    image = np.random.default_rng(3).integers(0, 256, (50, 70, 3), np.uint8)
    return encode(model, image, downsample=1)


def by_prompt(honesty):
    return {check.prompt: check for check in honesty.checks}


def same(one, other):
    for name in ("similarity", "rank", "dependence", "residual_variance"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), abs=1e-6)
    assert (one.nearest, one.verdict, one.advice) == (other.nearest, other.verdict, other.advice)


@MANY
@given(prompts=prompt_lists, seed=st.integers(0, 99))
def test_order_repetition_and_company_change_no_check(encoding, prompts, seed):
    shuffled = list(np.random.default_rng(seed).permutation([*prompts, *prompts[:2], "debris"]))
    one, other = (by_prompt(assess(encoding, asked, "absolute")) for asked in (prompts, shuffled))
    assert list(one) == prompts
    for prompt in prompts:
        same(one[prompt], other[prompt])


@MANY
@given(prompts=prompt_lists, factor=st.floats(1e-3, 1e3))
def test_the_length_of_a_direction_changes_nothing(encoding, prompts, factor):
    scoring = build_scoring(encoding.text, prompts, "absolute")
    scaled = dataclasses.replace(
        scoring, text=scoring.text * factor, directions=scoring.directions * factor
    )
    yardstick = make_null_reference(encoding)
    one, other = (
        assess_scoring(encoding, scoring, yardstick),
        assess_scoring(encoding, scaled, yardstick),
    )
    for left, right in zip(one.checks, other.checks, strict=True):
        same(left, right)
    assert [pair[:2] for pair in one.alike] == [pair[:2] for pair in other.alike]


@pytest.mark.parametrize("nonsense", NONSENSE[::12])
def test_built_in_nonsense_is_like_itself(encoding, nonsense):
    (check,) = assess(encoding, [nonsense]).checks
    assert check.dependence == pytest.approx(0, abs=1e-5)
    assert check.residual_variance == pytest.approx(0, abs=1e-5)
    assert check.nearest == nonsense
    assert check.verdict is Verdict.HARDLY


def test_a_word_never_met_counts_as_any_other(encoding):
    checks = by_prompt(assess(encoding, ["xylem", "xyster", "red"]))
    assert checks["xylem"].nearest == checks["xyster"].nearest == "wug"
    assert checks["xylem"].verdict is checks["xyster"].verdict is Verdict.HARDLY
    assert "never trained" in checks["xylem"].advice
    assert "never trained" not in checks["red"].advice


def test_a_prompts_own_contrast_does_not_make_nonsense_mean_something(encoding):
    plain, contrasted = (by_prompt(assess(encoding, [each])) for each in ("wug", "wug - red"))
    same(plain["wug"], dataclasses.replace(contrasted["wug - red"], prompt="wug"))


def test_figures_are_what_the_maps_say(encoding):
    maps = encoding.heatmaps(["red", "nuclei", "debris"], "absolute").lattice_values
    nonsense = encoding.heatmaps(NONSENSE, "absolute")
    checks = assess(encoding, ["red", "nuclei", "debris"], "absolute").checks
    related = np.corrcoef(
        maps.reshape(3, -1).astype(float), nonsense.lattice_values.reshape(len(NONSENSE), -1)
    )[:3, 3:]
    found = [check.residual_variance for check in checks]
    np.testing.assert_allclose(found, 1 - (related**2).max(axis=1), atol=1e-5)
    similarity = encoding.heatmaps(["red", "nuclei", "debris"], "absolute").similarity
    np.testing.assert_allclose([check.similarity for check in checks], similarity, atol=1e-6)


def test_maps_that_are_the_same_are_named(encoding):
    scoring = build_scoring(encoding.text, ["red", "blue", "nuclei"], "absolute")
    assert assess_scoring(encoding, scoring, make_null_reference(encoding)).alike == ()
    twins = dataclasses.replace(scoring, directions=scoring.directions[[0, 1, 0]] * [[1], [1], [2]])
    honesty = assess_scoring(encoding, twins, make_null_reference(encoding))
    assert honesty.alike == (("red", "nuclei", pytest.approx(1)),)
    assert "'red' and 'nuclei' are nearly the same" in honesty.notes[0]


def test_correlations_are_those_of_maps(encoding):
    words = ["red", "blue", "nuclei"]
    maps = encoding.heatmaps(words, "absolute").lattice_values.reshape(3, -1).astype(float)
    directions = build_scoring(encoding.text, words, "absolute").text
    found = correlations(token_covariance(encoding), directions, directions)
    np.testing.assert_allclose(found, np.corrcoef(maps), atol=1e-5)


@pytest.mark.parametrize(
    ("prompts", "score", "mirrored"),
    [
        (["red", "blue"], "relative", True),
        (["red", "blue"], "softmax", True),
        (["red", "blue", "nuclei - debris"], "relative", True),
        (["red", "blue", "wug"], "relative", False),
        (["red", "nuclei - debris"], "relative", False),
        (["red", "blue"], "absolute", False),
    ],
)
def test_maps_that_mirror_one_another_are_named(encoding, prompts, score, mirrored):
    notes = assess(encoding, prompts, score).notes
    assert any("'red' and 'blue' are mirrors" in note for note in notes) == mirrored
    assert sum("mirror" in note for note in notes) == mirrored


def test_what_makes_a_relative_list_unreliable_is_named(encoding):
    def notes(prompts, score):
        return [note for note in assess(encoding, prompts, score).notes if "balanced" in note]

    (senseless,) = notes(["red", "blue", "wug"], "relative")
    assert "means nothing" in senseless
    assert "wug" in senseless
    reference = make_null_reference(encoding)
    wide = dataclasses.replace(reference.scale, apart=99.0)
    scoring = build_scoring(encoding.text, ["red", "blue"], "relative")
    found = assess_scoring(encoding, scoring, dataclasses.replace(reference, scale=wide)).notes
    assert any("'red' and 'blue' mean the same" in note for note in found)
    assert notes(["red", "blue", "wug"], "balanced") == []
    assert notes(["red"], "relative") == []


def test_resolution_is_told_in_the_users_unit(encoding):
    scoring = build_scoring(encoding.text, ["red"], "absolute")
    honesty = assess_scoring(
        encoding, scoring, make_null_reference(encoding), pixel_size=(0.5, 0.5), unit="micrometer"
    )
    assert honesty.resolution.patch == (2.0, 2.0)
    assert any("one patch = 2 µm" in note for note in honesty.notes)


def test_a_coarse_look_tells_its_own_resolution_until_tiles_are_done(model):
    image = np.random.default_rng(3).integers(0, 256, (128, 96, 3), np.uint8)
    found = [
        (record.stage, assess(record.encoding, ["red"]))
        for record in encode_progressively(model, image, downsample=1)
    ]
    patches = [honesty.resolution.patch for _, honesty in found]
    # A tile of 32 px shows all of the 128 x 96 px, in 8 x 8 patches.
    assert [stage for stage, _ in found[:2]] == ["start", "coarse"]
    assert patches[1:] == [(16.0, 12.0)] * (len(found) - 2) + [(4.0, 4.0)]
    reported = [any("Not all tiles" in note for note in honesty.notes) for _, honesty in found]
    assert reported == [True] * (len(found) - 1) + [False]


def test_a_model_without_a_calibration_says_so(encoding):
    found = assess(encoding, ["red"])
    assert any("not calibrated" in note for note in found.notes)
    assert found.checks[0].presence is Trust.UNKNOWN
    sha = load_model("demo", device="cpu").weights_sha256
    encoding = dataclasses.replace(encoding, model={"name": "x", "weights_sha256": sha})
    assert not any("calibrate" in note for note in assess(encoding, ["red"]).notes)


def test_trust_is_the_least_of_its_answers():
    every = tuple(Trust)
    for answers in itertools.product(every, repeat=3):
        found = least_trust(answers)
        if Trust.NONE in answers:
            assert found is Trust.NONE
        elif set(answers) == {Trust.GOOD}:
            assert found is Trust.GOOD
        else:
            assert found is Trust.DOUBTFUL


def test_a_list_that_changes_a_map_is_named(encoding):
    def checks(prompts, score):
        return by_prompt(assess(encoding, prompts, score))

    alone = checks(["red"], "absolute")["red"]
    assert alone.agreement == pytest.approx(1)
    maps = encoding.heatmaps(["red", "nuclei"], "relative").lattice_values
    own = encoding.heatmaps(["red"], "absolute").lattice_values
    expected = np.corrcoef(maps[0].ravel(), own[0].ravel())[0, 1]
    assert checks(["red", "nuclei"], "relative")["red"].agreement == pytest.approx(
        expected, abs=1e-4
    )
    zero = checks(["red - red"], "relative")["red - red"]
    assert (zero.agreement, zero.trust) == (0, Trust.NONE)
    assert "what is subtracted" in zero.advice


def test_negations_unmet_words_and_several_things_are_no_more_than_doubtful(encoding):
    known = dataclasses.replace(encoding)
    for prompt in ("no red", "red without blue", "red xylem"):
        assert by_prompt(assess(known, [prompt], "absolute"))[prompt].text is not Trust.GOOD


@pytest.mark.parametrize("comma", [",", " ,", ", ,", ",,  "])
def test_a_comma_at_the_end_changes_nothing(encoding, comma):
    (plain,) = assess(encoding, ["red"]).checks
    (found,) = assess(encoding, [f"red{comma}"]).checks
    assert found == plain


def test_tiles_of_nan_leave_similarity_and_rank(model):
    image = np.random.default_rng(3).integers(0, 256, (32, 160), np.uint8).astype(np.float32)
    image = (image - image.min()) / np.ptp(image)
    holes = image.copy()
    holes[:, 80:] = np.nan
    whole = encode(model, holes, downsample=1, overlap=0)
    left = whole.counted_tiles
    assert left.tolist() == [[True, True, True, False, False]]
    np.testing.assert_allclose(
        whole.embedding, whole.accumulator.embeddings[left].mean(axis=0), rtol=1e-6
    )


def test_only_the_region_counts(model):
    image = np.random.default_rng(5).integers(0, 256, (64, 64, 3), np.uint8)
    image[:, 32:] = 40
    flat = encode(model, image, downsample=1, region=Region(box=(0, 40, 64, 64)))
    whole = encode(model, image, downsample=1)
    values = whole.token_map[:, 10:].reshape(-1, 4).astype(float)
    expected = np.cov(values, rowvar=False, bias=True)
    np.testing.assert_allclose(token_covariance(flat), expected, atol=1e-9)
    assert np.trace(token_covariance(whole)) > 10 * np.trace(expected)


def test_an_image_of_one_patch_gives_figures_without_a_warning(model):
    encoding = encode(model, np.full((4, 4), 9, np.uint8), downsample=1)
    (check,) = assess(encoding, ["red"], "absolute").checks
    assert check.residual_variance == 0
    assert np.isfinite(check.dependence)
