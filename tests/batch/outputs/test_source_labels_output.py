from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaozarrs
import zarr
from yaozarrs import v05
from yaozarrs.write.v05 import write_image

import napari_clip_heatmap as nch
from napari_clip_heatmap.batch.image_outcome import WorkState
from napari_clip_heatmap.errors import OutputError

PROMPTS = ("nuclei", "background")
WRITE = ("source-labels",)


def make_store(path: Path, leading: tuple[int, ...] = (), *, axes: str = "") -> Any:
    """Write an OME-Zarr image (*leading, y, x) of one level; return its pixels."""
    pixels = np.random.default_rng(5).integers(0, 255, (*leading, 60, 70), dtype=np.uint8)
    kinds = {"t": "time", "c": "channel"}
    about = {
        "axes": [{"name": name, "type": kinds.get(name, "space")} for name in f"{axes}yx"],
        "datasets": [
            {
                "path": "0",
                "coordinateTransformations": [{"type": "scale", "scale": [1.0] * pixels.ndim}],
            }
        ],
    }
    image = v05.Image.model_validate({"version": "0.5", "multiscales": [about]})
    write_image(path, image, [pixels], overwrite=True, writer="zarr")
    return pixels


def labels_of(path: Path, prompt: str) -> Any:
    array: Any = zarr.open_group(path, mode="r")[f"labels/{prompt}/0"]
    return np.asarray(array[...])


@pytest.mark.parametrize(
    ("leading", "axes"), [((), ""), ((1,), "c"), ((2, 3), "tz"), ((2, 1, 1), "tcz"), ((1, 1), "tz")]
)
def test_labels_lie_in_the_store_of_the_image(
    leading: tuple[int, ...], axes: str, run: Callable[..., Any], tiny_model: Any, tmp_path: Path
) -> None:
    path = tmp_path / "cells.ome.zarr"
    pixels = make_store(path, leading, axes=axes)
    worker = run(path, write=WRITE)
    assert worker.outcomes[0].state is WorkState.DONE, worker.outcomes[0].reason
    yaozarrs.validate_zarr_store(path)
    group: Any = zarr.open_group(path, mode="r")
    np.testing.assert_array_equal(group["0"][...], pixels)  # the image is as it was
    assert group["labels"].attrs["ome"]["labels"] == list(PROMPTS)
    own = tuple(length for name, length in zip(axes, leading, strict=True) if name != "c")
    labels = labels_of(path, "nuclei")
    assert labels.shape == (*own, 60, 70)
    for index in np.ndindex(*own):
        at = list(index)
        if "c" in axes:
            at.insert(axes.index("c"), 0)
        maps = nch.encode(tiny_model, pixels[tuple(at)], downsample=1.0).heatmaps(PROMPTS)
        np.testing.assert_array_equal(labels[index] > 0, maps.objects("nuclei").labels > 0)


@pytest.mark.filterwarnings("ignore:Consolidated metadata")
def test_a_finished_image_is_not_done_again_for_its_labels(
    run: Callable[..., Any], tmp_path: Path
) -> None:
    path = tmp_path / "cells.ome.zarr"
    make_store(path)
    zarr.consolidate_metadata(path)
    assert run(path, write=WRITE).outcomes[0].state is WorkState.DONE
    assert run(path, write=WRITE).outcomes[0].state is WorkState.DONE_BEFORE
    assert "labels/nuclei" in zarr.open_group(path, mode="r", use_consolidated=True)
    array: Any = zarr.open_group(path, mode="r+")["0"]
    array[0, 0] = 255 - array[0, 0]
    assert run(path, write=WRITE).outcomes[0].state is WorkState.DONE  # other pixels


def test_labels_of_others_are_never_replaced(run: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "cells.ome.zarr"
    make_store(path)
    labels = zarr.open_group(path, mode="r+").create_group("labels")
    labels.create_array("background", data=np.ones((60, 70), np.int32))
    with pytest.raises(OutputError, match="--overwrite"):
        run(path, write=WRITE)
    array: Any = zarr.open_group(path, mode="r")["labels/background"]
    assert (np.asarray(array[...]) == 1).all()
    assert not (path / "labels" / "nuclei").exists()
    (path / "labels" / "background").rename(path / "labels" / "mine")
    run(path, write=WRITE)
    assert (np.asarray(zarr.open_group(path, mode="r")["labels/mine"][...]) == 1).all()  # type: ignore[index]
    assert labels_of(path, "background").shape == (60, 70)


def test_each_prompt_has_labels_of_its_own(run: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "cells.ome.zarr"
    make_store(path)
    run(path, write=WRITE, prompts=("a/b", "a:b"))
    group: Any = zarr.open_group(path, mode="r")
    assert group["labels"].attrs["ome"]["labels"] == ["a-b", "a-b-2"]
    said = [
        group[f"labels/{name}"].attrs["ome"]["multiscales"][0]["name"] for name in ("a-b", "a-b-2")
    ]
    assert said == ["a/b", "a:b"]


def test_other_sources_and_single_planes_are_refused(
    run: Callable[..., Any], scene: Path, tmp_path: Path
) -> None:
    from napari_clip_heatmap.files.reading.picture_choice import PictureChoice

    assert "no OME-Zarr image" in run(scene, write=WRITE).outcomes[0].reason
    path = tmp_path / "movie.ome.zarr"
    make_store(path, (3,), axes="t")
    outcome = run(path, write=WRITE, choice=PictureChoice(time=1), output=tmp_path / "b").outcomes[
        0
    ]
    assert "--time" in outcome.reason
    assert not (path / "labels").exists()
