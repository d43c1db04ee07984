from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import yaozarrs
import zarr

import napari_clip_heatmap as nch

PROMPTS = ("nuclei", "background")


@pytest.mark.parametrize("leading", [(), (3,), (3, 2)])
def test_maps_and_labels_lie_together(
    leading: tuple[int, ...], run: Callable[..., Any], tiny_model: Any, tmp_path: Path
) -> None:
    shape = (*leading, 90, 600) if not leading else (*leading, 40, 50)
    stack = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    said = {"axes": "TZYX"[: len(leading)] + "YX", "PhysicalSizeX": 0.25, "PhysicalSizeY": 0.5}
    tifffile.imwrite(tmp_path / "a.ome.tif", stack, metadata=said, photometric="minisblack")
    worker = run(tmp_path / "a.ome.tif", format="ome-zarr", write=("maps", "labels"))
    assert worker.outcomes[0].reason == ""
    path = worker.job.folder / "a-ome.ome.zarr"
    yaozarrs.validate_zarr_store(path)
    group = zarr.open_group(path, mode="r")
    about: Any = group.attrs["ome"]
    image = about["multiscales"][0]
    names = [axis["name"] for axis in image["axes"]]
    assert names == [*"tz"[: min(len(leading), 1)], "c", *"z"[: len(leading) - 1], "y", "x"]
    assert [each["label"] for each in about["omero"]["channels"]] == list(PROMPTS)
    scale = image["datasets"][0]["coordinateTransformations"][0]["scale"]
    assert scale[-2:] == [0.5, 0.25]
    values = np.moveaxis(np.asarray(group["0"][...]), names.index("c"), 0)  # type: ignore[index]
    for index in np.ndindex(*leading):
        maps = nch.encode(tiny_model, stack[index], downsample=1.0).heatmaps(PROMPTS)
        np.testing.assert_allclose(values[(slice(None), *index)], maps.values, atol=1e-6)
        labels = np.asarray(group["labels/nuclei/0"][...])[index]  # type: ignore[index]
        np.testing.assert_array_equal(labels > 0, maps.objects("nuclei").labels > 0)
    if not leading:
        assert group["1"].shape == (2, 45, 300)  # type: ignore[union-attr]


def test_napari_opens_it(run: Callable[..., Any], scene: Path) -> None:
    from napari_ome_zarr import napari_get_reader

    path = run(scene, format="ome-zarr").job.folder / "scene.ome.zarr"
    reader = napari_get_reader(str(path))
    assert reader is not None
    data, about, kind = reader(str(path))[0]
    assert kind == "image"
    assert [name.removeprefix("scene: ") for name in about["name"]] == list(PROMPTS)
    levels = data if isinstance(data, list) else [data]
    assert levels[0].shape == (2, 90, 130)


def test_labels_added_later_leave_the_maps(run: Callable[..., Any], scene: Path) -> None:
    path = run(scene, format="ome-zarr", write=("maps",)).job.folder / "scene.ome.zarr"
    before = np.asarray(zarr.open_group(path, mode="r")["0"][...])  # type: ignore[index]
    run(scene, format="ome-zarr", write=("labels",))
    group = zarr.open_group(path, mode="r")
    np.testing.assert_array_equal(np.asarray(group["0"][...]), before)  # type: ignore[index]
    assert "labels/nuclei" in group


def test_maps_of_a_slide_are_as_fine_as_what_the_model_saw(
    run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_clip_heatmap.batch.outputs import store_output

    monkeypatch.setattr(store_output, "_LARGE", 2**12)
    pixels = np.random.default_rng(0).integers(0, 255, (410, 330), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    worker = run(tmp_path / "a.tif", format="ome-zarr", write=("maps",), downsample=5.0)
    path = worker.job.folder / "a.ome.zarr"
    yaozarrs.validate_zarr_store(path)
    group = zarr.open_group(path, mode="r")
    assert group["0"].shape == (2, 103, 83)  # type: ignore[union-attr]
    about: Any = group.attrs["ome"]
    scale, translation = about["multiscales"][0]["datasets"][0]["coordinateTransformations"]
    assert scale["scale"] == pytest.approx([1.0, 410 / 103, 330 / 83])
    # The center of the first pixel lies in the middle of the pixels that it stands for.
    assert translation["translation"] == pytest.approx(
        [0.0, (410 / 103 - 1) / 2, (330 / 83 - 1) / 2]
    )
    expected = worker.result(worker.open_target(worker.outcomes[0].image), ()).maps
    values = np.asarray(group["0"][...])  # type: ignore[index]
    np.testing.assert_array_equal(values, expected.window(factor=4))


def test_pages_of_no_known_axis_are_refused(run: Callable[..., Any], tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.random.default_rng(0).random((3, 40, 50)))
    outcome = run(tmp_path / "a.npy", format="ome-zarr").outcomes[0]
    assert "--format tif" in outcome.reason
