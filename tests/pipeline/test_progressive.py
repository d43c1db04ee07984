from __future__ import annotations

import threading

import dask.array as da
import numpy as np
import pytest
import zarr

from napari_clip_heatmap.errors import Cancelled, ImageError, SettingsError
from napari_clip_heatmap.imaging.channel import Channel
from napari_clip_heatmap.imaging.masks import LabeledRegion
from napari_clip_heatmap.imaging.region import Region
from napari_clip_heatmap.imaging.view import View
from napari_clip_heatmap.pipeline.encode import encode
from napari_clip_heatmap.pipeline.progressive import encode_progressively

PROMPTS = ["red", "green", "blue"]


def picture(shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (*shape, 3), np.uint8)


def until(records, n):
    """Take records until `n` tiles are done, and stop asking."""
    for record in records:
        if record.done >= n and record.stage == "fine":
            records.close()
            return record
    raise AssertionError(f"fewer than {n} tiles")


def readers():
    return [each for each in threading.enumerate() if each.name.startswith("clip-heatmap")]


def test_first_the_whole_at_once_then_tile_by_tile(model):
    records = [*encode_progressively(model, picture((160, 200)), downsample=1, batch_size=2)]
    assert [record.stage for record in records[:3]] == ["start", "coarse", "fine"]
    assert {record.stage for record in records[2:]} == {"fine"}
    assert model.batches[0] == 1
    counts = [record.done for record in records]
    assert counts == sorted(counts)
    assert counts[-1] == records[-1].total == len(records[-1].encoding.lattice.tiles)
    assert records[0].left is None
    assert records[1].left is None
    assert all(record.left >= 0 for record in records[2:])
    assert records[-1].left == 0
    assert records[-1].encoding.complete


def test_at_the_end_nothing_is_left_of_the_coarse_look(model):
    image = picture((160, 200))
    *_, last = encode_progressively(model, image, downsample=1)
    expected = encode(model, image, downsample=1)
    np.testing.assert_array_equal(last.encoding.token_map, expected.token_map)
    np.testing.assert_array_equal(last.encoding.embedding, expected.embedding)
    np.testing.assert_array_equal(
        last.encoding.heatmaps(PROMPTS).values, expected.heatmaps(PROMPTS).values
    )


def test_the_coarse_map_shows_where_things_are(model):
    image = np.zeros((320, 480, 3), np.uint8)
    image[40:120, 300:400, 0] = 255
    records = encode_progressively(model, image, downsample=1)
    next(records)
    values = next(records).encoding.heatmaps(["red"], "absolute").values[0]
    y, x = np.unravel_index(values.argmax(), values.shape)
    assert 40 <= y < 120
    assert 300 <= x < 400
    assert np.isfinite(values).all()


def test_what_is_told_as_changed_is_all_that_changed(model):
    directions = np.eye(4, dtype=np.float32)[:2]
    shown = None
    for record in encode_progressively(model, picture((160, 200)), downsample=1, focus=(80, 90)):
        present = record.encoding.lattice_values(directions)
        if shown is not None:
            y, x = record.changed
            shown[:, y, x] = record.encoding.lattice_values(directions, record.changed)
            np.testing.assert_allclose(shown, present, atol=1e-6, equal_nan=True)
        shown = present.copy()


def test_tiles_near_the_focus_come_first(model):
    focus, distances = (130.0, 40.0), []
    before = np.zeros((0, 0), bool)
    for record in encode_progressively(
        model, picture((200, 200)), downsample=1, focus=focus, batch_size=1
    ):
        done = record.encoding.accumulator.tile_mask.copy()
        if before.size and (done & ~before).any():
            ((row, column),) = np.argwhere(done & ~before)
            lattice = record.encoding.lattice
            center = lattice.y.pixels(row).start + 16, lattice.x.pixels(column).start + 16
            distances.append(np.hypot(center[0] - focus[0], center[1] - focus[1]))
        before = done
    assert distances == sorted(distances)
    assert distances[0] < 20


@pytest.mark.parametrize("n", [1, 7, 20])
def test_going_on_does_no_tile_twice(model, n):
    image = picture((160, 200))
    settings = {"downsample": 1, "batch_size": 3, "focus": (100, 100)}
    partial = until(encode_progressively(model, image, **settings), n)
    assert sum(model.batches) == partial.done + 1  # and the coarse look
    *_, last = encode_progressively(model, image, resume=partial.encoding, **settings)
    (only,) = encode_progressively(model, image, resume=last.encoding, **settings)
    assert (only.done, only.stage) == (only.total, "start")
    assert sum(model.batches) == last.total + 1
    whole = encode(model, image, downsample=1)
    np.testing.assert_allclose(last.encoding.token_map, whole.token_map, atol=1e-6)
    np.testing.assert_allclose(last.encoding.embedding, whole.embedding, atol=1e-6)


def test_going_on_from_something_else_is_refused(model, make_model):
    encoding = encode(model, picture((64, 64)), downsample=1)
    others = (
        (model, picture((70, 64)), {}),
        (model, picture((64, 64)), {"overlap": 0}),
        (model, picture((64, 64)), {"view": View(invert=True)}),
    )
    for asked, image, settings in others:
        with pytest.raises(SettingsError, match="cannot be continued"):
            next(encode_progressively(asked, image, downsample=1, resume=encoding, **settings))


def test_cancelling_keeps_what_is_done(model):
    records = []
    with pytest.raises(Cancelled, match="after 6 of"):
        records.extend(
            encode_progressively(
                model,
                picture((160, 200)),
                downsample=1,
                batch_size=2,
                cancelled=lambda: sum(model.batches) >= 7,
            )
        )
    last = records[-1]
    assert last.done == 6
    assert last.encoding.accumulator.tile_mask.sum() == 6
    assert np.isfinite(last.encoding.heatmaps(PROMPTS).values).all()
    assert readers() == []


def test_a_single_tile_is_not_looked_at_twice(model):
    records = [*encode_progressively(model, picture((32, 32)), downsample=1)]
    assert [record.stage for record in records] == ["start", "fine"]
    assert model.batches == [1]


class Failing:
    """An image on a drive that goes away after some reads."""

    def __init__(self, image, n_reads, error):
        self.image, self.left, self.error = image, n_reads, error
        self.shape, self.dtype = image.shape, image.dtype

    def __getitem__(self, key):
        self.left -= 1
        if self.left < 0:
            raise self.error
        return self.image[key]


@pytest.mark.parametrize("error", [OSError("drive gone"), KeyError("c/0/1"), RuntimeError("x")])
def test_a_read_that_fails_keeps_what_is_done(model, error):
    image = picture((600, 300))
    channel = Channel((Failing(image, 3, error),))
    records = encode_progressively(model, channel, downsample=1, coarse=False)
    kept = []
    with pytest.raises(ImageError, match="could not be read") as caught:
        kept.extend(records)
    last = kept[-1]
    assert caught.value.__cause__ is error
    assert type(error).__name__ in str(caught.value)
    assert 0 < last.done < last.total
    assert readers() == []
    *_, mended = encode_progressively(
        model, image, downsample=1, coarse=False, resume=last.encoding
    )
    expected = encode(model, image, downsample=1)
    np.testing.assert_array_equal(mended.encoding.token_map, expected.token_map)
    assert sum(model.batches) == 2 * last.total


def test_a_coarse_look_that_fails_to_read_is_told_the_same_way(model):
    channel = Channel((Failing(picture((300, 300)), 0, OSError("drive gone")),))
    with pytest.raises(ImageError, match="could not be read"):
        list(encode_progressively(model, channel, downsample=1))


def test_where_an_image_is_stored_changes_no_digit(model, tmp_path):
    image = np.random.default_rng(0).integers(0, 4000, (330, 270), np.uint16)
    np.save(tmp_path / "image.npy", image)
    expected = encode(model, image, downsample=1.7).heatmaps(PROMPTS).values
    for other in (
        np.load(tmp_path / "image.npy", mmap_mode="r"),
        da.from_array(image, chunks=(100, 64)),
        zarr.create_array(tmp_path / "image.zarr", data=image, chunks=(64, 100)),
    ):
        seen = encode(model, other, downsample=1.7).heatmaps(PROMPTS).values
        np.testing.assert_array_equal(seen, expected)


def test_blank_tiles_are_looked_at_once_per_color(model):
    image = np.zeros((400, 400, 3), np.uint8)
    image[:200, 200:] = 9
    image[70:90, 70:90] = picture((20, 20))
    encoding = encode(model, image, downsample=1)
    n_looked, total = sum(model.batches), len(encoding.tiles)
    blank = 0
    for tile in encoding.tiles:
        y, x = encoding.lattice.y.pixels(tile[0]), encoding.lattice.x.pixels(tile[1])
        seen = image[max(0, y.start) : y.stop, max(0, x.start) : x.stop]
        blank += bool((seen == seen[0, 0]).all())
    assert blank > total / 2
    assert n_looked == total - blank + 2
    tokens = encoding.token_map[..., :3]
    means = image.reshape(100, 4, 100, 4, 3).mean((1, 3)) / 255
    np.testing.assert_allclose(tokens, means, atol=1e-6)


def test_only_the_tiles_that_touch_the_region_are_done(model):
    image = picture((320, 320))
    whole = encode(model, image, downsample=1)
    labels = np.zeros((320, 320), bool)
    labels[100:130, 200:260] = True
    for region in (Region(box=(100, 200, 130, 260)), Region(mask=LabeledRegion(labels))):
        model.batches.clear()
        part = encode(model, image, downsample=1, region=region)
        assert sum(model.batches) == len(part.tiles) < len(whole.tiles) / 4
        seen, all_of_it = (each.heatmaps(PROMPTS).values for each in (part, whole))
        np.testing.assert_array_equal(np.isfinite(seen), np.broadcast_to(labels, seen.shape))
        np.testing.assert_allclose(
            seen[:, 104:126, 204:256], all_of_it[:, 104:126, 204:256], atol=1e-6
        )


def test_another_region_goes_on_from_the_tiles_of_the_first(model):
    image = picture((320, 320))
    first = encode(model, image, downsample=1, region=Region(box=(0, 0, 320, 150)))
    before = first.heatmaps(PROMPTS).values
    *_, last = encode_progressively(model, image, downsample=1, resume=first, coarse=False)
    assert sum(model.batches) == last.total
    whole = encode(model, image, downsample=1)
    np.testing.assert_allclose(last.encoding.token_map, whole.token_map, atol=1e-6)
    np.testing.assert_array_equal(first.heatmaps(PROMPTS).values, before)


def test_the_coarse_look_is_at_the_region_alone(model):
    image = np.zeros((640, 640, 3), np.uint8)
    image[200:220, 300:320, 0] = 255
    records = encode_progressively(
        model, image, downsample=1, region=Region(box=(160, 256, 288, 384))
    )
    next(records)
    values = next(records).encoding.heatmaps(["red"], "absolute").values[0]
    y, x = np.unravel_index(np.nanargmax(values), values.shape)
    assert 196 <= y < 224
    assert 296 <= x < 324
    assert np.isfinite(values).sum() == 128 * 128


class Generated:
    """Chunks that are made when they are read; notes the largest read and how much in all."""

    shape, dtype = (32_768, 32_768), np.dtype("uint8")
    largest = n_read = 0

    def __getitem__(self, key):
        y, x = (np.arange(each.start, min(each.stop, 32_768)) for each in key)
        self.largest = max(self.largest, len(y) * len(x))
        self.n_read += len(y) * len(x)
        return ((y[:, None] >> 5) ^ (x >> 4)).astype(np.uint8)


def test_an_image_larger_than_memory_is_read_a_part_at_a_time(model):
    image = Generated()
    records = encode_progressively(model, Channel((image,)), downsample=64, focus=(9000, 9000))
    next(records)
    first = next(records)
    assert first.stage == "coarse"
    assert image.n_read < 32_768**2 / 50
    partial = until(records, 20)
    assert image.largest <= 2100**2
    assert image.n_read < 32_768**2 / 5
    assert sum(model.batches) <= 20 + 4 + 1
    values = partial.encoding.lazy_heatmaps(PROMPTS)
    assert values.dask().shape == (3, 32_768, 32_768)
    assert np.isfinite(values.window(slice(9000, 9100), slice(9000, 9100))).all()
    assert readers() == []
