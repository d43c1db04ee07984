from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

import napari_clip_heatmap as nch
from napari_clip_heatmap.errors import OutputError, PromptError
from napari_clip_heatmap.files import run_results
from napari_clip_heatmap.files.reading.image_file import read_image
from napari_clip_heatmap.files.reading.picture_choice import PictureChoice
from napari_clip_heatmap.files.run_record import read_record
from napari_clip_heatmap.files.run_request import RunRequest, claim_folder
from napari_clip_heatmap.files.run_results import FailedImage, ImageResult, write_heatmaps
from napari_clip_heatmap.imaging.view import View

STACK = np.random.default_rng(0).integers(0, 4000, (3, 40, 52), dtype=np.uint16)


@pytest.fixture
def images(tmp_path: Path) -> tuple[Path, Path, Path]:
    """A stack, a file that is none, and one more stack."""
    paths = tmp_path / "a.tif", tmp_path / "bad.tif", tmp_path / "b.tif"
    tifffile.imwrite(paths[0], STACK, photometric="minisblack")
    paths[1].write_bytes(b"no picture")
    tifffile.imwrite(paths[2], STACK[::-1], photometric="minisblack")
    return paths


def run(model: Any, request: RunRequest) -> list[ImageResult | FailedImage]:
    claim_folder(request, overwrite=False)
    return list(write_heatmaps(model, request))


def test_written_is_what_the_library_computes(
    tiny_model: Any, images: tuple[Path, ...], tmp_path: Path
) -> None:
    view = View(limits=(100, 3000))
    request = RunRequest(
        images, ("a", "b"), tmp_path / "out", view=view, choice=PictureChoice(page=1)
    )
    first, failed, last = run(tiny_model, request)
    assert isinstance(failed, FailedImage)
    assert failed.source == images[1]
    assert failed.reason.startswith(f"'{images[1]}'")
    for result, pixels in ((first, STACK[1]), (last, STACK[1])):
        assert isinstance(result, ImageResult)
        maps = nch.encode(tiny_model, pixels, view=view).heatmaps(["a", "b"])
        np.testing.assert_allclose(result.heatmaps.values, maps.values, atol=1e-6)
        written = read_image(request.output / f"{result.source.stem}_a_heatmap.tif")
        np.testing.assert_array_equal(written, result.heatmaps.values[0])
        assert [shown.low for shown in result.ranges] == [100]


def test_the_record_grows_with_each_image(
    tiny_model: Any, images: tuple[Path, ...], tmp_path: Path
) -> None:
    request = RunRequest(images, ("a",), tmp_path / "out", choice=PictureChoice(page=0))
    claim_folder(request, overwrite=False)
    counts = []
    for _ in write_heatmaps(tiny_model, request):
        record = read_record(request.output)
        assert record is not None
        counts.append((len(record["images"]), len(record["failed"])))
    assert counts == [(1, 0), (1, 1), (2, 1)]
    assert json.loads((request.output / "run.json").read_text())["failed"][0]["reason"]


def test_a_single_failure_leaves_nothing(tiny_model: Any, images: Any, tmp_path: Path) -> None:
    (failed,) = run(tiny_model, RunRequest(images[1:2], ("a",), tmp_path / "out"))
    assert isinstance(failed, FailedImage)
    assert not list((tmp_path / "out").iterdir())


def test_mistakes_in_the_words_come_before_any_image(
    tiny_model: Any, images: Any, tmp_path: Path
) -> None:
    request = RunRequest(images, ("a",), tmp_path / "out", score="contrast")
    with pytest.raises(PromptError, match="baseline"):
        run(tiny_model, request)


def test_a_disk_that_fails_stops_the_run(
    tiny_model: Any, images: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(run_results, "write_record", full)
    request = RunRequest(images, ("a",), tmp_path / "out", choice=PictureChoice(page=0))
    with pytest.raises(OutputError, match="No space left on device"):
        run(tiny_model, request)


def test_masked_values_are_left_as_they_are(tiny_model: Any, tmp_path: Path) -> None:
    values = STACK[0].copy()
    values[5:20, 7:30] = 65535
    tags = [(42113, 2, 6, "65535", True)]
    tifffile.imwrite(tmp_path / "a.tif", values, extratags=tags)
    request = RunRequest((tmp_path / "a.tif",), ("a", "b"), tmp_path / "out")
    (result,) = run(tiny_model, request)
    assert isinstance(result, ImageResult)
    np.testing.assert_array_equal(np.isnan(result.heatmaps.values[0]), values == 65535)
    assert result.ranges[0].high < 4000
