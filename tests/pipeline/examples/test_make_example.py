"""Examples made from places, on a model whose token is the mean color of a patch."""

from __future__ import annotations

import numpy as np
import pytest

from napari_clip_heatmap.errors import PromptError, SettingsError
from napari_clip_heatmap.evaluation.auroc import auroc
from napari_clip_heatmap.pipeline.encode import encode
from napari_clip_heatmap.pipeline.examples.make_example import PlaceDirections, measure_image
from napari_clip_heatmap.pipeline.examples.recipe import RECIPE, TokenStatistics
from napari_clip_heatmap.pipeline.objects.object_scores import score_objects
from napari_clip_heatmap.pipeline.score_registry import SCORES

SQUARES = [(8, 8), (8, 40), (40, 24), (24, 52), (48, 48)]


def draw(seed=0, squares=SQUARES):
    """Gray noise with squares that are redder, 8 pixels wide; and where they are."""
    rng = np.random.default_rng(seed)
    image = rng.integers(80, 160, (64, 64, 3)).astype(np.uint8)
    mask = np.zeros((64, 64), bool)
    for y, x in squares:
        mask[y : y + 8, x : x + 8] = True
    image[mask] += np.array([60, 0, 0], np.uint8)
    return image, mask


@pytest.fixture
def scene(model):
    image, mask = draw()
    return encode(model, image, downsample=1), mask


def centers(squares=SQUARES):
    return [(y + 4, x + 4) for y, x in squares]


def test_its_map_is_the_token_map_times_its_direction_whatever_the_score(scene):
    encoding, _ = scene
    example = encoding.example(centers()[:3], [(30, 10)], name="mine")
    assert np.linalg.norm(example.direction.astype(float)) == pytest.approx(1)
    expected = encoding.token_map @ example.direction
    for score in SCORES:
        if score == "softmax":
            continue
        baseline = ["blue"] if score == "contrast" else []
        maps = encoding.heatmaps(["red", example, "green"], score, baseline=baseline)
        assert maps.prompts == ("red", "mine", "green")
        assert maps.lattice_values[1] == pytest.approx(expected, abs=1e-6)
        assert maps.similarity[1] == pytest.approx(encoding.embedding @ example.direction)


def test_words_the_model_never_met_are_named_in_the_words_of_examples_too(scene):
    encoding, _ = scene
    example = encoding.example(centers(), name="mine", words="green | xylem - xyloid")
    alone = encoding.example(centers(), name="xylan")
    notes = encoding.heatmaps(["red", example, alone]).notes
    found = [note.rpartition(": ")[2] for note in notes if "never trained on" in note]
    assert found == ["'xylem'.", "'xyloid'."]


def test_it_changes_no_map_of_words(scene):
    encoding, _ = scene
    example = encoding.example(centers()[:2], name="mine")
    for score in ("relative", "balanced", "absolute"):
        alone = encoding.heatmaps(["red", "green", "blue"], score).values
        mixed = encoding.heatmaps(["red", example, "green", "blue"], score).values
        assert mixed[[0, 2, 3]] == pytest.approx(alone, abs=1e-6)


def test_softmax_takes_it_in_and_says_that_scales_differ(scene):
    encoding, _ = scene
    maps = encoding.heatmaps(["red", encoding.example(centers(), name="mine")], "softmax")
    assert maps.values.sum(axis=0) == pytest.approx(np.ones((64, 64)), abs=1e-5)
    assert any("scale of words" in note for note in maps.notes)


def test_it_finds_the_same_thing_elsewhere(model, scene):
    encoding, mask = scene
    example = encoding.example(centers()[:3], [(30, 10), (60, 4)], name="mine")
    other, there = draw(seed=5, squares=[(0, 0), (16, 32), (48, 8)])
    for each, truth in ((encoding, mask), (encode(model, other, downsample=1), there)):
        values = each.heatmaps([example]).values[0]
        assert auroc(values[truth], values[~truth]) > 0.97


def test_a_mask_and_points_inside_of_its_patches_agree(scene):
    encoding, _ = scene
    mask = np.zeros((64, 64), bool)
    mask[8:16, 8:16] = True  # four patches, wholly
    points = [(9, 9), (9, 13), (13, 9), (13, 13)]
    one, other = (encoding.example(each, name="mine") for each in (mask, points))
    assert one == other


def test_order_of_places_changes_nothing_but_rounding(scene):
    encoding, _ = scene
    one = encoding.example(centers(), [(30, 10), (60, 4)], name="mine")
    other = encoding.example(centers()[::-1], [(60, 4), (30, 10)], name="mine")
    assert one.direction == pytest.approx(other.direction, abs=1e-6)
    assert one.leave_one_out == other.leave_one_out


def test_words_are_mixed_in_by_their_weight(scene):
    encoding, _ = scene
    places = encoding.example(centers(), name="mine")
    ends = [
        encoding.example(centers(), name="mine", words="green", weight=weight)
        for weight in (1.0, 0.0)
    ]
    assert ends[0].direction == pytest.approx(places.direction, abs=1e-6)
    words = encoding.heatmaps(["green"], "relative").scoring.directions[0]  # minus neutral prompts
    assert ends[1].direction == pytest.approx(words / np.linalg.norm(words), abs=1e-5)
    half = encoding.example(centers(), name="mine", words="green | verdant")
    assert (half.words, half.weight) == ("green | verdant", 0.5)
    assert places.words == ""
    assert places.weight == 1


def test_words_of_an_example_may_have_a_contrast(scene):
    encoding, _ = scene
    made = encoding.example(centers(), name="mine", words="green - red|pink - blue", weight=0.0)
    prompt = "green - red | pink - blue"
    words = encoding.heatmaps([prompt]).scoring.directions[0]
    assert made.direction == pytest.approx(words / np.linalg.norm(words), abs=1e-5)
    assert made.words == prompt


def test_leave_one_out_is_the_auroc_of_places_by_the_others(scene):
    encoding, _ = scene
    good, bad = centers(), [(30, 10), (60, 4), (20, 30)]
    found = encoding.example(good, bad, name="mine").leave_one_out
    statistics = TokenStatistics.of(encoding.token_map.reshape(-1, 4))

    def height(good, bad, point):
        direction = encoding.example(good, bad, name="mine").direction.astype(float)
        cell = encoding.lattice.cell_at(point[0] + 0.5, point[1] + 0.5)
        token = encoding.token_map[cell][0, 0]
        return (token - statistics.mean) @ direction / statistics.deviation(direction)

    high = [height([p for p in good if p != point], bad, point) for point in good]
    low = [height(good, [p for p in bad if p != point], point) for point in bad]
    assert found == pytest.approx(auroc(np.array(high), np.array(low)))


def test_leave_one_out_needs_several_places(scene):
    encoding, _ = scene
    assert encoding.example(centers(), name="mine").leave_one_out is None
    assert encoding.example(centers()[:1], [(30, 10)], name="mine").leave_one_out is None
    assert encoding.example(centers()[:2], [(30, 10)], name="mine").leave_one_out is not None


def test_dependence_compares_with_how_far_random_places_stand_out(scene):
    encoding, _ = scene
    tokens, statistics = measure_image(encoding)
    found = encoding.example(centers(), name="mine").dependence
    assert found == encoding.example(centers(), name="other").dependence  # repeatable

    def height(places):
        mean = places.mean(axis=0).astype(float)
        direction = RECIPE.direction(mean, None, statistics)
        values = tokens.astype(float) @ direction
        return (mean @ direction - values.mean()) / values.std()

    rng = np.random.default_rng(0)
    random = []
    for _ in range(64):
        random.append(height(tokens[rng.integers(0, len(tokens), len(SQUARES))]))
        rng.integers(0, len(tokens), 0)
    cells = [encoding.lattice.cell_at(y + 0.5, x + 0.5) for y, x in centers()]
    own = height(np.concatenate([encoding.token_map[cell].reshape(1, -1) for cell in cells]))
    assert found == pytest.approx(own / np.quantile(random, 0.95), rel=1e-3)
    assert found > 1


def test_random_places_seldom_stand_out(scene):
    encoding, _ = scene
    rng = np.random.default_rng(3)
    found = [
        encoding.example(rng.uniform(0, 63, (4, 2)), name="anything").dependence for _ in range(60)
    ]
    assert np.mean(np.array(found) >= 1) < 0.15


def test_figures_say_where_background_and_places_lie(scene):
    encoding, _ = scene
    example = encoding.example(centers(), name="mine")
    values = encoding.token_map @ example.direction * 64  # patches of a tile of the fake model
    assert example.background == pytest.approx(values.mean(), rel=1e-4)
    cells = [encoding.lattice.cell_at(y + 0.5, x + 0.5) for y, x in centers()]
    assert example.foreground == pytest.approx(
        np.mean([values[cell][0, 0] for cell in cells]), rel=1e-4
    )
    assert example.token @ example.direction == pytest.approx(example.foreground, rel=1e-4)
    scaled = encoding.token_map.reshape(-1, encoding.token_map.shape[-1]) * 64
    assert example.spread == pytest.approx(
        np.sqrt(((scaled - scaled.mean(axis=0)) ** 2).sum(axis=1).mean()), rel=1e-4
    )


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"positive": []}, PromptError, "no positive place"),
        ({"positive": np.zeros((64, 64), bool)}, PromptError, "no positive place"),
        ({"name": "a | b"}, PromptError, "synonyms"),
        ({"name": ""}, PromptError, "word"),
        ({"words": "a - a"}, PromptError, "say nothing"),
        ({"words": "a - "}, PromptError, "contrast"),
        ({"words": 3}, PromptError, "text"),
        ({"weight": 1.5}, SettingsError, "weight"),
        ({"weight": "half"}, SettingsError, "weight"),
        ({"templates": "unheard of"}, PromptError, "templates"),
    ],
)
def test_bad_input_is_refused_in_words(scene, options, error, said):
    encoding, _ = scene
    with pytest.raises(error, match=said):
        encoding.example(**{"positive": centers(), "name": "mine", **options})


def test_places_that_the_model_sees_no_difference_in_are_refused(model):
    flat = encode(model, np.full((64, 64, 3), 90, np.uint8), downsample=1)
    with pytest.raises(PromptError, match="nothing separates"):
        flat.example([(3, 3)], name="mine")


def test_another_model_refuses_it(model, make_model, scene):
    encoding, _ = scene
    example = encoding.example(centers(), name="mine")
    other = make_model()
    other.describe = lambda: {"name": "another", "weights_sha256": "1" * 64}
    theirs = encode(other, draw()[0], downsample=1)
    for ask in (
        lambda: theirs.heatmaps([example]),
        lambda: theirs.lazy_heatmaps(["red", example]),
        lambda: score_objects(theirs, draw()[1].astype(np.int32), [example]),
    ):
        with pytest.raises(PromptError, match="another"):
            ask()


def test_a_direction_of_another_length_is_refused(model, scene):
    encoding, _ = scene
    example = encoding.example(centers(), name="mine")
    encoding.text.d_embed = 5
    with pytest.raises(PromptError, match="4 numbers; this model's have 5"):
        encoding.heatmaps([example])


def test_tables_and_objects_carry_its_name(scene):
    encoding, mask = scene
    example = encoding.example(centers(), [(30, 10)], name="mine")
    labels = np.zeros((64, 64), np.int32)
    for number, (y, x) in enumerate(SQUARES, start=1):
        labels[y : y + 8, x : x + 8] = number
    labels[28:36, 4:12] = 9  # background
    scores = score_objects(encoding, labels, [example, "blue"], "absolute")
    column = scores.mean[:, scores.prompts.index("mine")]
    assert column[:-1].min() > column[-1]
    assert "contribution mine" in scores.table.names
    maps = encoding.heatmaps([example])
    found = maps.objects("mine")
    assert {str(each) for each in found.table["prompt"]} == {"mine"}
    assert mask[found.labels > 0].mean() > 0.5


def test_tokens_of_the_image_are_those_that_are_known(scene):
    encoding, _ = scene
    tokens, statistics = measure_image(encoding)
    assert tokens == pytest.approx(encoding.token_map.reshape(-1, 4))
    assert measure_image(encoding)[1] is statistics
    directions = PlaceDirections(statistics)
    assert directions.recipe is RECIPE
