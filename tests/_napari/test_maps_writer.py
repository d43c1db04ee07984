from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
from napari.components import ViewerModel
from npe2 import PluginManager
from yaozarrs import validate_zarr_store

from napari_clip_heatmap._napari.readers.store_reader import get_reader
from napari_clip_heatmap.errors import OutputError

SCALE = {"scale": (0.5, 0.25), "translate": (3.0, -2.0), "units": ("um", "um")}


@pytest.fixture
def save():
    PluginManager.instance().discover()  # this plugin's writers, and napari's own

    def save(layers, path):
        viewer = ViewerModel()
        viewer.layers.extend(layers)
        return viewer.layers.save(str(path), plugin="napari-clip-heatmap")

    return save


def heatmaps(data, prompts=("nuclei", "a/b"), **options):
    """Layers as the dock adds them, the first prompt on top."""
    viewer = ViewerModel()
    for number, prompt in reversed([*enumerate(prompts)]):
        mark = {"prompt": prompt, "prompts": list(prompts), "score": "balanced"}
        viewer.add_image(
            data[number],
            name=prompt,
            contrast_limits=(-1, number + 1),
            metadata={"clip_heatmap": mark},
            **options,
        )
    return list(viewer.layers)


@pytest.fixture
def maps():
    return np.random.default_rng(0).normal(size=(2, 30, 40)).astype(np.float32)


def read(path):
    return get_reader(str(path))(str(path))


def test_what_is_saved_comes_back_as_it_was(save, maps, tmp_path):
    maps[0, :5] = np.nan
    layers = heatmaps(maps, **SCALE)
    assert save(layers, tmp_path / "maps.ome.zarr") == [str(tmp_path / "maps.ome.zarr")]
    validate_zarr_store(str(tmp_path / "maps.ome.zarr"))
    viewer = ViewerModel()
    for data, options, _ in read(tmp_path / "maps.ome.zarr"):
        viewer.add_image(data, **options)
    for before, after in zip(layers, viewer.layers, strict=True):
        np.testing.assert_array_equal(np.asarray(after.data), before.data)
        assert after.name == before.name
        assert after.contrast_limits == before.contrast_limits
        assert after.metadata["clip_heatmap"]["score"] == "balanced"
        np.testing.assert_array_equal(after.extent.world, before.extent.world)
        assert after.units == before.units


@pytest.mark.parametrize("leading", [("z",), ("t",), ("t", "z")])
def test_pyramids_of_stacks_are_saved_level_by_level(save, tmp_path, leading):
    rng = np.random.default_rng(0)
    fine = rng.normal(size=(2, *(3, 2)[: len(leading)], 64, 81)).astype(np.float32)
    coarse = fine[..., ::2, ::2]
    pairs = [[da.from_array(f, chunks=32), c] for f, c in zip(fine, coarse, strict=True)]
    scale = (*(2.0, 5.0)[: len(leading)], 1.0, 1.0)
    options = {"multiscale": True, "axis_labels": (*leading, "y", "x"), "scale": scale}
    save(heatmaps(pairs, **options), tmp_path / "maps.zarr")
    for (data, options, _), number in zip(read(tmp_path / "maps.zarr"), (1, 0), strict=True):
        np.testing.assert_array_equal(np.asarray(data[0]), fine[number])
        np.testing.assert_array_equal(np.asarray(data[1]), coarse[number])
        assert options["axis_labels"] == [*leading, "y", "x"]
        assert options["scale"] == [*scale]


def test_what_one_image_cannot_hold_is_refused(save, maps, tmp_path):
    path = tmp_path / "maps.zarr"
    other = ViewerModel().add_image(maps[0], name="photo")
    with pytest.raises(OutputError, match="'photo' is no heatmap"):
        save([*heatmaps(maps), other], path)
    moved = heatmaps(maps)
    moved[0].translate = (1, 0)
    with pytest.raises(OutputError, match="do not lie on one another"):
        save(moved, path)
    turned = heatmaps(maps)
    turned[1].rotate = 30
    with pytest.raises(OutputError, match="turned"):
        save(turned, path)
    with pytest.raises(OutputError, match="accepted: t, z"):
        save(heatmaps(np.stack([maps, maps])), path)
    assert not [*tmp_path.iterdir()]
    path.mkdir()
    with pytest.raises(OutputError, match="exists"):
        save(heatmaps(maps), path)
