"""Points and masks to patches: compared with a slow count, pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_clip_heatmap.errors import PromptError
from napari_clip_heatmap.imaging.region import Region
from napari_clip_heatmap.pipeline.encode import encode
from napari_clip_heatmap.pipeline.examples.places import read_places

MANY = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


def encoded(model, shape=(50, 70), downsample=1.0, **options):
    image = np.random.default_rng(3).integers(0, 256, (*shape, 3)).astype(np.float32)
    for y, x in options.pop("holes", ()):
        image[y, x] = np.nan
    return encode(model, image, downsample=downsample, **options)


def cell_of(lattice, y, x):
    """Return the cell under the center of a pixel."""
    cell = lattice.cell_at(y + 0.5, x + 0.5)
    return cell[0].start, cell[1].start


@MANY
@given(seed=st.integers(0, 99), downsample=st.sampled_from([0.5, 1.0, 1.7, 2.0]))
def test_points_lie_on_the_patch_under_their_pixel(model, seed, downsample):
    encoding = encoded(model, downsample=downsample)
    points = np.random.default_rng(seed).integers(0, (50, 70), (5, 2))
    places = read_places(encoding, points, "positive")
    expected = [cell_of(encoding.lattice, y, x) for y, x in points]
    assert [tuple(cell) for cell in places.cells] == expected
    assert np.array_equal(places.weights, np.ones(5))
    tokens = [encoding.token_map[cell] for cell in expected]
    assert np.array_equal(places.tokens(encoding.token_map), np.array(tokens, np.float64))


@MANY
@given(seed=st.integers(0, 99), downsample=st.sampled_from([1.0, 1.7, 2.0]))
def test_a_mask_covers_patches_as_a_count_of_its_pixels_says(model, seed, downsample):
    encoding = encoded(model, downsample=downsample)
    rng = np.random.default_rng(seed)
    (y0, x0), (height, width) = rng.integers(0, (40, 60)), rng.integers(1, 30, 2)
    mask = np.zeros((50, 70), bool)
    mask[y0 : y0 + height, x0 : x0 + width] = True
    inside, total = np.zeros(encoding.lattice.grid), np.zeros(encoding.lattice.grid)
    for y in range(50):
        for x in range(70):
            total[cell_of(encoding.lattice, y, x)] += 1
            inside[cell_of(encoding.lattice, y, x)] += mask[y, x]
    fraction = inside / total
    places = read_places(encoding, mask, "positive")
    chosen = np.argwhere(fraction >= min(0.5, fraction.max()))
    assert np.array_equal(places.cells, chosen)
    assert places.weights == pytest.approx(fraction[tuple(chosen.T)])


def test_borders_of_the_image_belong_to_it(model):
    encoding = encoded(model)
    corners = [(-0.5, -0.5), (49.5, 69.5), (0, 69)]
    cells = read_places(encoding, corners, "positive").cells
    last = np.array(encoding.lattice.grid) - 1
    assert cells.tolist() == [[0, 0], last.tolist(), [0, last[1]]]


@pytest.mark.parametrize(
    ("given_places", "said"),
    [
        ([(50, 3)], "outside the image"),
        ([(3, -1)], "outside the image"),
        ([(np.nan, 3)], "outside the image"),
        ([(np.inf, 3)], "outside the image"),
        ([(1, 2, 3)], "accepted: points"),
        ([1, 2], "accepted: points"),
        ("nuclei", "accepted: points"),
        ([["a", "b"]], "accepted: points"),
        ([(1, 2), (3,)], "accepted: points"),
        (np.zeros((50, 70), np.uint8), "accepted: points"),
        (np.zeros((50, 71), bool), "shape"),
        ([(20, 33)], "not known"),
        ([(40, 10)], "not known"),
    ],
)
def test_what_is_no_place_is_refused_in_words(model, given_places, said):
    hole = [(slice(16, 24), slice(30, 38))]
    encoding = encoded(model, holes=hole, region=Region((0, 0, 32, 70)))
    with pytest.raises(PromptError, match=said):
        read_places(encoding, given_places, "negative")


def test_a_mask_where_nothing_is_known_is_refused(model):
    encoding = encoded(model, holes=[(slice(16, 24), slice(30, 38))])
    mask = np.zeros((50, 70), bool)
    mask[17:23, 31:37] = True
    with pytest.raises(PromptError, match="not known"):
        read_places(encoding, mask, "positive")


def test_nothing_marked_is_no_place(model):
    encoding = encoded(model)
    for nothing in ((), [], np.zeros((0, 2)), np.zeros((50, 70), bool)):
        assert len(read_places(encoding, nothing, "negative")) == 0
