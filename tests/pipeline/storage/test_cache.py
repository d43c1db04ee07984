"""Acceptance: what is encoded once is read the next time, and nothing else is taken for it."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import zarr

import napari_clip_heatmap as nch
from napari_clip_heatmap.clip.loading import load_model
from napari_clip_heatmap.errors import OutputError, SettingsError
from napari_clip_heatmap.imaging.channel import Channel
from napari_clip_heatmap.imaging.view import View
from napari_clip_heatmap.pipeline.encode import encode
from napari_clip_heatmap.pipeline.storage import cache as stored_cache
from napari_clip_heatmap.pipeline.storage.cache import LIMIT, EncodingCache
from napari_clip_heatmap.user_folders import cache_root


def test_the_second_time_nothing_is_computed_and_the_numbers_are_the_same(
    tiny_model, cache, pixels, tiles
):
    words, image = ["nuclei", "debris"], pixels.astype(np.float32)
    image[3:9, 5:50] = np.nan
    first = encode(tiny_model, image, cache=cache, downsample=1)
    assert tiles(image.copy()) == 0
    again = encode(tiny_model, image, cache=EncodingCache(), downsample=1)
    assert again.describe() == first.describe()
    np.testing.assert_array_equal(again.heatmaps(words).values, first.heatmaps(words).values)
    assert np.isnan(again.heatmaps(words).values).any()
    plain = encode(tiny_model, image, downsample=1)
    np.testing.assert_array_equal(plain.token_map, again.token_map)


def test_without_a_cache_nothing_is_written(tiny_model, pixels, cache_folder):
    encode(tiny_model, pixels)
    assert not cache_folder.exists()


def test_a_changed_pixel_is_another_image(pixels, tiles):
    assert tiles(pixels) > 0
    pixels[69, 89, 2] ^= 1
    assert tiles(pixels) > 0
    pixels[69, 89, 2] ^= 1
    assert tiles(pixels) == 0


@pytest.mark.parametrize(
    "other",
    [
        {"view": View("min-max")},
        {"view": View(invert=True)},
        {"downsample": 1.5},
        {"overlap": 0.0},
    ],
    ids=str,
)
def test_another_view_resolution_or_tiling_is_encoded_anew(pixels, tiles, other):
    tiles(pixels)
    assert tiles(pixels, **other) > 0
    assert tiles(pixels, **other) == 0


def test_another_look_of_the_channel_is_encoded_anew_only_where_it_is_seen(pixels, tiles):
    gray, lut = pixels[..., 0], np.random.default_rng(1).random((9, 3)).astype(np.float32)
    looks = [
        Channel((gray,), (0.0, 255.0)),
        Channel((gray,), (0.0, 99.0)),
        Channel((gray,), (0.0, 255.0), gamma=0.5),
        Channel((gray,), (0.0, 255.0), lut=lut),
    ]
    assert all(tiles(look) > 0 for look in looks)
    assert not any(tiles(look) for look in looks)
    counts = [tiles(look, view=View("percentile")) for look in looks]
    assert counts[0] > 0
    assert not any(counts[1:]), "percentiles ignore limits, gamma and colormap"


def test_another_model_or_precision_is_encoded_anew(pixels, tiles, make_clip, tiny_clip):
    tiles(pixels)
    assert tiles(pixels, model=load_model(make_clip(seed=3), device="cpu")) > 0
    assert tiles(pixels, model=load_model(tiny_clip, device="cpu", precision="fp64")) > 0
    assert tiles(pixels, model=load_model(tiny_clip, device="cpu")) == 0


def test_a_changed_chunk_of_a_lazy_image_is_noticed_where_it_was_sampled(tmp_path, tiles):
    values = np.random.default_rng(2).integers(0, 256, (96, 96), np.uint8)
    stored = zarr.create_array(tmp_path / "a.zarr", data=values, chunks=(32, 32))
    assert tiles(stored) > 0
    assert tiles(zarr.open_array(tmp_path / "a.zarr", mode="r")) == 0
    stored[95, 95] = values[95, 95] ^ 1
    assert tiles(zarr.open_array(tmp_path / "a.zarr", mode="r")) > 0


def test_a_lazy_image_that_cannot_be_told_from_others_is_not_kept(tmp_path, tiles, cache):
    stored = zarr.create_array(tmp_path / "a.zarr", shape=(900, 90), dtype="uint8", chunks=(30, 30))
    stored[100:105, 10:15] = 200  # beside the samples
    assert tiles(stored) == tiles(stored) > 0
    assert len(cache) == 0


def damaged(path, how):
    content = bytearray(path.read_bytes())
    if how == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif how == "emptied":
        path.write_bytes(b"")
    elif how == "of another image":
        path.write_bytes(next(p for p in path.parent.glob("*.zip") if p != path).read_bytes())
    else:
        for position in np.random.default_rng(0).integers(0, len(content), 30):
            content[position] ^= 8
        path.write_bytes(content)


@pytest.mark.parametrize("how", ["cut", "emptied", "bits flipped", "of another image"])
def test_a_damaged_entry_is_noticed_removed_and_made_anew(tiles, pixels, cache_folder, caplog, how):
    tiles(pixels)
    (path,) = cache_folder.glob("*.zip")
    tiles(255 - pixels)
    damaged(path, how)
    with caplog.at_level(logging.WARNING):
        assert tiles(pixels) > 0
    assert "removed and computed again" in caplog.text
    assert str(path) in caplog.text
    assert tiles(pixels) == 0


def test_an_entry_that_is_replaced_while_it_is_read_stays(
    tiles, pixels, cache, monkeypatch, caplog
):
    tiles(pixels)
    (path,) = cache.folder.glob("*.zip")
    os.utime(path, (0, 0))  # a clock that is sure to have ticked
    content, read = path.read_bytes(), stored_cache.read_arrays

    def removed_and_written_anew_meanwhile(path):
        path.unlink()
        try:
            return read(path)
        finally:
            path.write_bytes(content)

    with monkeypatch.context() as patches:
        patches.setattr(stored_cache, "read_arrays", removed_and_written_anew_meanwhile)
        patches.setattr(EncodingCache, "put", lambda *_: None)
        assert tiles(pixels) > 0
    assert "removed" not in caplog.text
    assert tiles(pixels) == 0


def test_single_flipped_bits_never_change_a_number(tiny_model, cache, pixels, cache_folder):
    first = encode(tiny_model, pixels, downsample=1, cache=cache)
    (path,) = cache_folder.glob("*.zip")
    whole, choose = path.read_bytes(), np.random.default_rng(1)
    for _ in range(40):
        content = bytearray(whole)
        content[choose.integers(len(whole))] ^= 1 << int(choose.integers(8))
        path.write_bytes(content)
        again = encode(tiny_model, pixels, downsample=1, cache=cache)
        np.testing.assert_array_equal(again.token_map, first.token_map)


DIES = """
import os, sys
import numpy as np
from napari_clip_heatmap.clip.loading import load_model
from napari_clip_heatmap.pipeline.encode import encode
from napari_clip_heatmap.pipeline.storage import zarr_file as arrays
from napari_clip_heatmap.pipeline.storage.cache import EncodingCache
before = arrays._put_in_place
arrays._put_in_place = lambda part, path: os._exit(9)  # written, not yet renamed
model = load_model(f"local-dir:{sys.argv[1]}", device="cpu")
encode(model, np.load(sys.argv[2]), downsample=1, cache=EncodingCache())
"""


def test_a_crash_in_the_middle_of_writing_leaves_nothing_to_be_read(
    counting, tiny_folder, pixels, tmp_path, cache, cache_folder
):
    np.save(tmp_path / "a.npy", pixels)
    done = subprocess.run(
        [sys.executable, "-c", DIES, tiny_folder, tmp_path / "a.npy"], check=False
    )
    assert done.returncode == 9
    (part,) = cache_folder.iterdir()
    assert len(cache) == cache.size == 0
    model = counting(load_model(f"local-dir:{tiny_folder}", device="cpu"))
    encode(model, pixels, downsample=1, cache=cache)
    assert model.tiles > 0
    assert part.exists(), "it may be of a program that is still writing"
    os.utime(part, (0, time.time() - 2 * 86400))
    encode(model, pixels[::-1], downsample=1, cache=cache)
    assert not part.exists()
    assert len(cache) == 2


WORKS = """
import logging, sys
import numpy as np
from napari_clip_heatmap.clip.loading import load_model
from napari_clip_heatmap.pipeline.encode import encode
from napari_clip_heatmap.pipeline.storage.cache import EncodingCache
logging.basicConfig(level=logging.WARNING)
model = load_model(f"local-dir:{sys.argv[1]}", device="cpu")
cache, pixels = EncodingCache(), np.load(sys.argv[2])
first = [encode(model, np.roll(pixels, n), downsample=1).token_map for n in range(3)]
for turn in range(25):
    for n in range(3):
        image = np.roll(pixels, n)
        assert np.array_equal(encode(model, image, downsample=1, cache=cache).token_map, first[n])
    if turn % 5 == int(sys.argv[3]):
        cache.clear()
"""


def test_two_programs_at_once_are_safe(tiny_folder, pixels, tmp_path, cache):
    np.save(tmp_path / "a.npy", pixels)
    programs = [
        subprocess.Popen(
            [sys.executable, "-c", WORKS, tiny_folder, tmp_path / "a.npy", str(number)],
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in (1, 3)
    ]
    for program in programs:
        _, reported = program.communicate(timeout=240)
        assert program.returncode == 0, reported
        assert "removed and computed again" not in reported, "no half entry was ever seen"
    assert len(cache) <= 3
    assert not list(cache.folder.glob(".*"))


def test_those_not_used_for_longest_go(tiles, pixels, cache):
    images = [np.roll(pixels, n) for n in range(4)]
    for number, image in enumerate(images[:3]):
        tiles(image)
        for path in cache.folder.glob("*.zip"):  # a clock that is sure to have ticked
            if time.time() - path.stat().st_mtime < 1000:
                os.utime(path, (0, 1000 * number))
    assert tiles(images[0]) == 0
    cache.limit = round(cache.size * 1.1)
    tiles(images[3])
    assert tiles(images[3]) == tiles(images[0]) == tiles(images[2]) == 0
    assert len(cache) == 3
    assert tiles(images[1]) > 0


def test_the_limit_is_one_for_all_and_can_be_set(tiles, pixels, cache):
    assert cache.limit == LIMIT
    tiles(pixels)
    assert cache.size == sum(path.stat().st_size for path in cache.folder.iterdir())
    cache.limit = 10
    assert (len(cache), EncodingCache().limit) == (0, 10)
    assert tiles(pixels) == tiles(pixels) > 0, "an image larger than the limit is not kept"
    cache.limit = 0
    assert tiles(pixels) == tiles(pixels) > 0
    with pytest.raises(SettingsError, match="from 0"):
        cache.limit = -1
    (cache.folder / "limit").write_text("no number")
    assert cache.limit == LIMIT


def test_clear_empties_it(tiles, pixels, cache):
    assert cache.clear() == 0
    tiles(pixels)
    cache.limit = LIMIT - 1
    size = cache.size
    assert cache.clear() == size > 0
    assert (len(cache), cache.size) == (0, 0)
    assert cache.limit == LIMIT - 1
    assert tiles(pixels) > 0


def test_a_disk_that_refuses_stops_nobody(tiny_model, pixels, tmp_path, caplog):
    (tmp_path / "file").write_bytes(b"")
    cache = EncodingCache(tmp_path / "file" / "cache")
    assert encode(tiny_model, pixels, cache=cache).complete
    assert "could not be stored" in caplog.text
    with pytest.raises(OutputError, match="limit"):
        cache.limit = 5


def test_the_users_cache_folder_is_the_default(monkeypatch):
    monkeypatch.delenv("CLIP_HEATMAP_CACHE")
    folder = nch.EncodingCache().folder
    assert folder == cache_root() / "encodings"
    monkeypatch.setenv("CLIP_HEATMAP_CACHE", "~/elsewhere")
    assert nch.EncodingCache().folder == Path.home() / "elsewhere"
