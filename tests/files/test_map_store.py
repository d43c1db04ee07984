"""Maps in OME-Zarr: what one writes others read, and every level lies where its pixels do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaozarrs
import zarr
from hypothesis import given
from hypothesis import strategies as st

from napari_clip_heatmap.files.map_store import (
    MAP_CHUNK,
    create_map_store,
    level_transforms,
    prompt_channel,
)


@given(
    full=st.integers(1, 5000),
    factor=st.integers(1, 16),
    size=st.floats(0.01, 10),
    start=st.floats(-100, 100),
)
def test_levels_have_the_same_edges(full: int, factor: int, size: float, start: float) -> None:
    now = -(-full // factor)
    scale, translation = level_transforms((size,), (start,), (full,), (now,))
    (step,), (first,) = scale["scale"], translation["translation"]
    assert first - step / 2 == pytest.approx(start - size / 2)
    assert first + (now - 0.5) * step == pytest.approx(start + (full - 0.5) * size)


def test_a_store_has_its_levels_chunks_channels_and_record(tmp_path: Path) -> None:
    shapes = [(2, 1500, 40), (2, 750, 20)]
    axes = [{"name": "c", "type": "channel"}, *({"name": n, "type": "space"} for n in "yx")]
    about = {
        "version": "0.5",
        "multiscales": [
            {
                "axes": axes,
                "datasets": [
                    {
                        "path": str(level),
                        "coordinateTransformations": level_transforms(
                            np.ones(3), np.zeros(3), shapes[0], shape
                        ),
                    }
                    for level, shape in enumerate(shapes)
                ],
            }
        ],
        "omero": {"channels": [prompt_channel("red", (0, 1), active=True)] * 2},
    }
    arrays = create_map_store(tmp_path / "maps.zarr", about, shapes, {"prompts": ["red"]})
    assert [array.shape for array in arrays] == shapes
    assert arrays[0].chunks == (1, MAP_CHUNK, 40)
    assert arrays[0].dtype == np.float32
    yaozarrs.validate_zarr_store(str(tmp_path / "maps.zarr"))
    group = zarr.open_group(tmp_path / "maps.zarr", mode="r")
    assert group.attrs.asdict()["clip_heatmap"] == {"prompts": ["red"]}
