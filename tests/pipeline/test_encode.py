from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_clip_heatmap.errors import Cancelled, ImageError, SettingsError
from napari_clip_heatmap.imaging.lattice import AUTO_TILES, choose_downsample
from napari_clip_heatmap.imaging.region import Region
from napari_clip_heatmap.pipeline.encode import encode
from napari_clip_heatmap.pipeline.progressive import encode_progressively

MANY = settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def picture(shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (*shape, 3), np.uint8)


def test_one_tile_is_exactly_the_models_own_token_map(model):
    image = picture((32, 32))
    encoding = encode(model, image, downsample=1)
    alone = model.token_map(model.preprocess((image / np.float32(255))[None]))
    np.testing.assert_array_equal(encoding.token_map, alone.tokens[0])
    whole = alone.representation[0].double().numpy()
    np.testing.assert_allclose(encoding.embedding, whole / np.linalg.norm(whole), rtol=1e-6)


@pytest.mark.parametrize("shape", [(1, 1), (3, 5000), (5000, 3), (31, 33), (64, 64), (77, 130)])
def test_the_whole_image_is_covered_at_any_shape(model, shape):
    encoding = encode(model, picture(shape), downsample=1)
    assert encoding.image_shape == shape
    assert encoding.token_map.shape == (-(-shape[0] // 4), -(-shape[1] // 4), 4)
    values = encoding.heatmaps(["red", "green", "blue"], "absolute").values
    assert values.shape == (3, *shape)
    assert np.isfinite(values).all()


@MANY
@given(st.integers(1, 200), st.integers(1, 200), st.floats(0, 0.9))
def test_patches_blend_to_what_the_patches_are(model, height, width, overlap):
    image = picture((height, width))
    encoding = encode(model, image, downsample=1, overlap=overlap)
    y, x = encoding.lattice.y, encoding.lattice.x
    spare = [(a.lead, a.n_cells * 4 - a.working - a.lead) for a in (y, x)]
    padded = np.pad(image / 255, (*spare, (0, 0)), mode="symmetric")
    means = padded.reshape(y.n_cells, 4, x.n_cells, 4, 3).mean((1, 3))
    np.testing.assert_allclose(encoding.token_map[..., :3], means, atol=1e-5)


@MANY
@given(st.integers(1, 120), st.integers(1, 120), st.sampled_from(["fine", "finest"]))
def test_finer_cells_are_what_the_patches_around_them_are(model, height, width, quality):
    image = picture((height, width))
    encoding = encode(model, image, downsample=1, quality=quality)
    padded = np.pad(image / 255, ((8, 8), (8, 8), (0, 0)), mode="symmetric")
    axes = encoding.lattice.y, encoding.lattice.x
    y, x = (np.rint(axis.position(np.arange(axis.n_cells) + 0.5)).astype(int) for axis in axes)
    for row, column in ((0, 0), (len(y) // 2, len(x) // 3), (len(y) - 1, len(x) - 1)):
        first = y[row] - 2 + 8, x[column] - 2 + 8
        patch = padded[first[0] : first[0] + 4, first[1] : first[1] + 4]
        np.testing.assert_allclose(
            encoding.token_map[row, column, :3], patch.mean((0, 1)), atol=1e-5
        )


def edge_error(model, at, quality, *, upright):
    """Distance between an edge and where the cells of the map change sides, in pixels."""
    image = np.zeros((64, 64), np.uint8)
    image[:, at:] = 255
    encoding = encode(model, image if upright else image.T, downsample=1, quality=quality)
    values = encoding.heatmaps(["red"], "absolute").lattice_values[0]
    bright = (values if upright else values.T).mean(axis=0) >= 0.5
    axis = encoding.lattice.x if upright else encoding.lattice.y
    assert 0 < bright.sum() < bright.size
    return abs(axis.cell_edges()[int(bright.argmax())] - at)


@pytest.mark.parametrize("upright", [True, False])
@pytest.mark.parametrize(("quality", "cell"), [("standard", 8), ("fine", 4), ("finest", 2)])
def test_an_edge_is_placed_within_half_a_cell(make_model, quality, cell, upright):
    model = make_model((32, 32), (8, 8))
    errors = [edge_error(model, at, quality, upright=upright) for at in range(16, 48)]
    assert max(errors) <= cell / 2
    if quality == "standard":
        assert max(errors) > 2  # so a finer map is needed for less


def test_what_is_not_done_of_a_finer_map_lies_between_the_standard_values(model):
    image = picture((64, 48))
    standard = encode(model, image, downsample=1).heatmaps(["red"]).lattice_values
    steps = encode_progressively(model, image, downsample=1, quality="fine", batch_size=1)
    n_standard = encode(model, image, downsample=1).accumulator.tile_mask.size
    for record in steps:
        if record.done == n_standard:
            values = record.encoding.heatmaps(["red"]).lattice_values
            np.testing.assert_allclose(values[:, ::2, ::2], standard, atol=1e-5)
            between = (standard[:, :, 1:] + standard[:, :, :-1]) / 2
            np.testing.assert_allclose(values[:, ::2, 1::2], between, atol=1e-5)
            break
    finished = [*steps][-1].encoding
    np.testing.assert_array_equal(
        finished.token_map, encode(model, image, downsample=1, quality="fine").token_map
    )


def test_a_region_of_a_finer_map_takes_only_its_tiles(model):
    image, box = picture((200, 200)), Region(box=(100, 100, 120, 120))
    some = encode(model, image, downsample=1, quality="fine", region=box)
    every = encode(model, image, downsample=1, quality="fine")
    assert some.accumulator.tile_mask.sum() < every.accumulator.tile_mask.sum() / 4
    inside = np.isfinite(some.heatmaps(["red"]).lattice_values[0])
    np.testing.assert_allclose(some.token_map[inside], every.token_map[inside], atol=1e-5)


@MANY
@given(st.data())
def test_a_planted_square_is_found_to_half_a_patch(model, data):
    """A square as wide as two patches, anywhere in an image of any shape, at any downsampling."""
    height, width = data.draw(st.integers(12, 300)), data.draw(st.integers(12, 300))
    downsample = data.draw(st.floats(0.7, min(height, width) / 12, exclude_max=False))
    side = max(1, round(8 * downsample))
    top = data.draw(st.integers(0, max(0, height - side)))
    left = data.draw(st.integers(0, max(0, width - side)))
    image = np.zeros((height, width), np.uint8)
    image[top : top + side, left : left + side] = 255
    encoding = encode(model, image, downsample=downsample)
    values = encoding.heatmaps(["green"], "absolute").values[0]
    y, x = np.unravel_index(values.argmax(), values.shape)
    half = 4 * downsample / 2 + downsample  # and the rounding to whole working pixels
    assert top - half <= y + 0.5 <= top + side + half
    assert left - half <= x + 0.5 <= left + side + half
    weights = np.clip(values, 0, None)
    inner = (top >= 2 * side, left >= 2 * side)
    outer = (top + 3 * side <= height, left + 3 * side <= width)
    for axis, start, length in ((0, top, height), (1, left, width)):
        if inner[axis] and outer[axis]:  # far from the border the center of mass is kept
            mass = weights.sum(axis=1 - axis)
            center = (mass * (np.arange(length) + 0.5)).sum() / mass.sum()
            assert abs(center - (start + side / 2)) <= downsample / 2


def test_moving_the_image_by_patches_moves_the_lattice(model):
    scene = picture((160, 160))
    first = encode(model, scene[:128, :128], downsample=1).token_map
    moved = encode(model, scene[8:136, 12:140], downsample=1).token_map
    np.testing.assert_allclose(moved[:-2, :-3, :3], first[2:, 3:, :3], atol=1e-5)


def test_gray_is_seen_as_the_same_in_all_colors(model):
    gray = picture((50, 40))[..., 0]
    one = encode(model, gray, downsample=1)
    three = encode(model, np.stack([gray] * 3, -1), downsample=1)
    np.testing.assert_array_equal(one.token_map, three.token_map)


@pytest.mark.parametrize("size", [((32, 48), (4, 8)), ((24, 24), (3, 6)), ((35, 33), (4, 4))])
def test_tiles_and_patches_need_not_be_square_nor_fit(make_model, size):
    model = make_model(*size)
    values = encode(model, picture((90, 70)), downsample=1).heatmaps(["red"], "absolute").values
    assert np.isfinite(values).all()


@pytest.mark.parametrize("value", [0, 7, 255])
def test_a_constant_image_runs_and_is_flat(model, value):
    maps = encode(model, np.full((70, 50), value, np.uint8)).heatmaps(["red", "green"])
    assert np.ptp(maps.values[0]) < 1e-6
    np.testing.assert_array_equal(maps.jet().shape, (2, 70, 50, 3))


def test_invalid_pixels_are_nan_in_the_maps_and_nowhere_else(model):
    image = picture((70, 50)).astype(float)
    image[10:20, 5:9, 1] = np.nan
    encoding = encode(model, image)
    values = encoding.heatmaps(["red", "green"]).values
    np.testing.assert_array_equal(np.isnan(values), [~encoding.valid] * 2)
    assert (~encoding.valid).sum() == 40
    assert np.isfinite(encoding.token_map).all()


@pytest.mark.parametrize("image", [np.zeros((0, 3)), np.zeros((9, 9, 5)), np.full((9, 9), np.nan)])
def test_bad_images_are_refused_before_the_model_is_asked(model, image):
    with pytest.raises(ImageError):
        encode(model, image)
    assert model.batches == []


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("downsample", 0),
        ("downsample", -1.0),
        ("downsample", float("nan")),
        ("downsample", float("inf")),
        ("downsample", "full"),
        ("downsample", None),
        ("overlap", 1.0),
        ("overlap", -0.1),
        ("overlap", float("nan")),
        ("batch_size", 0),
    ],
)
def test_settings_out_of_range_are_refused(model, setting, value):
    with pytest.raises(SettingsError, match=f"{setting} is .*accepted"):
        encode(model, picture((32, 32)), **{setting: value})


def test_auto_leaves_at_most_a_few_tiles_on_the_short_side():
    assert choose_downsample((32, 9000), (32, 32)) == 1
    assert choose_downsample((9, 9), (32, 32)) == 1
    assert choose_downsample((32 * AUTO_TILES * 3, 9000), (32, 32)) == 3
    assert choose_downsample((9000, 9000), (32, 32), 2) == 2


def test_auto_is_what_is_recorded(model):
    side = 32 * AUTO_TILES * 2
    encoding = encode(model, picture((side, side + 100)))
    assert encoding.downsample == 2
    assert encoding.lattice.working_shape == (side // 2, (side + 100) // 2)


def test_numpy_numbers_are_numbers(model):
    assert encode(model, picture((64, 64)), downsample=np.float32(2)).downsample == 2.0


@pytest.mark.parametrize("batch_size", [1, 2, 100])
def test_batches_change_nothing(model, batch_size):
    image = picture((90, 100))
    expected = encode(model, image, downsample=1)
    model.batches.clear()
    seen = encode(model, image, downsample=1, batch_size=batch_size)
    assert max(model.batches) <= batch_size
    np.testing.assert_allclose(seen.token_map, expected.token_map, atol=1e-6)
    np.testing.assert_allclose(seen.embedding, expected.embedding, atol=1e-6)


def test_progress_counts_tiles(model):
    calls = []
    encoding = encode(
        model,
        picture((90, 100)),
        downsample=1,
        batch_size=4,
        progress=lambda done, total: calls.append((done, total)),
    )
    total = len(encoding.lattice.tiles)
    assert calls == [(min(done, total), total) for done in range(0, total + 4, 4)]


def test_cancelling_stops_before_the_next_batch(model):
    with pytest.raises(Cancelled, match="after 4 of 25 tiles"):
        encode(
            model,
            picture((96, 96)),
            downsample=1,
            batch_size=2,
            cancelled=lambda: len(model.batches) == 2,
        )
    assert model.batches == [2, 2]


def test_embedding_is_the_mean_of_the_tiles_unit_embeddings(model):
    encoding = encode(model, picture((48, 32)), downsample=1, batch_size=1)
    tiles = [encode(model, picture((48, 32))[rows], downsample=1).embedding for rows in
             (slice(0, 32), slice(16, 48))]  # fmt: skip
    np.testing.assert_allclose(encoding.embedding, np.mean(tiles, axis=0), rtol=1e-6)
