"""Runs that stop, continue and change: the cache holds what was done, and only that."""

from __future__ import annotations

import numpy as np
import pytest

from napari_clip_heatmap.errors import Cancelled
from napari_clip_heatmap.imaging.region import Region
from napari_clip_heatmap.pipeline.encode import encode
from napari_clip_heatmap.pipeline.progressive import encode_progressively
from napari_clip_heatmap.pipeline.storage.cache import EncodingCache
from napari_clip_heatmap.pipeline.storage.cached_encode import encode_cached


def test_what_is_not_finished_is_gone_on_with(counting, tiny_model, cache, pixels):
    steps = encode_cached(tiny_model, pixels, cache=cache, downsample=1, batch_size=1, coarse=False)
    for record in steps:
        if record.done == 3:
            break
    steps.close()
    total = record.total
    counted = counting(tiny_model)
    steps = encode_cached(counted, pixels, cache=cache, downsample=1, batch_size=1, coarse=False)
    first = next(steps)
    assert first.done == 3
    assert not first.encoding.complete
    *_, last = steps
    assert last.encoding.complete
    assert counted.tiles == total - 3
    plain = encode(tiny_model, pixels, downsample=1)
    np.testing.assert_allclose(last.encoding.token_map, plain.token_map, atol=1e-7)


@pytest.mark.parametrize("error", [Cancelled, KeyboardInterrupt])
def test_a_run_that_is_stopped_keeps_its_tiles(counting, tiny_model, cache, pixels, error):
    calls = []

    def stop():
        calls.append(1)
        if len(calls) > 12:  # more than are computed side by side
            raise error("stop")
        return False

    with pytest.raises(error):
        encode(tiny_model, pixels, downsample=1, batch_size=1, cancelled=stop, cache=cache)
    counted = counting(tiny_model)
    whole = encode(counted, pixels, downsample=1, cache=cache)
    assert 0 < counted.tiles < len(whole.tiles)


def test_tiles_of_one_region_serve_the_next(tiles, pixels, tiny_model):
    left, whole = Region(box=(0, 0, 70, 20)), None
    first = tiles(pixels, region=left)
    assert tiles(pixels, region=left) == 0
    rest = tiles(pixels, region=whole)
    assert first > 0
    assert first + rest == len(encode(tiny_model, pixels, downsample=1).tiles)
    assert tiles(pixels, region=left) == 0


def test_what_is_in_memory_is_not_looked_for(tiny_model, cache, pixels, monkeypatch):
    known = encode(tiny_model, pixels, downsample=1)
    monkeypatch.setattr(EncodingCache, "get", None)
    monkeypatch.setattr("napari_clip_heatmap.pipeline.storage.cached_encode.pixels_of", None)
    (record,) = encode_cached(tiny_model, pixels, cache=cache, downsample=1, resume=known)
    assert record.encoding.complete


def test_an_image_that_changes_meanwhile_is_not_kept(tiny_model, cache, pixels, caplog):
    for record in encode_cached(tiny_model, pixels, cache=cache, downsample=1, batch_size=1):
        pixels[0, 0, 0] = record.done
    assert len(cache) == 0
    assert "changed while it was encoded" in caplog.text


def test_a_stopped_region_is_never_taken_for_whole(tiny_model, cache, pixels):
    encode(tiny_model, pixels, downsample=1, region=Region(box=(0, 0, 20, 20)), cache=cache)
    first = next(iter(encode_cached(tiny_model, pixels, cache=cache, downsample=1)))
    assert not first.encoding.complete
    assert first.done < first.total
    bare = next(iter(encode_progressively(tiny_model, pixels, downsample=1)))
    assert first.total == bare.total
