from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_clip_heatmap.batch.outputs import plane_result
from napari_clip_heatmap.errors import SettingsError


@pytest.fixture
def result(run: Callable[..., Any], scene: Path) -> Any:
    worker = run(scene, write=("maps",))
    return worker.result(worker.open_target(worker.outcomes[0].image), ())


def test_pictures_of_small_images_are_as_large(result: Any) -> None:
    assert result.overview_factor == 1
    np.testing.assert_array_equal(result.overview(1), result.maps.window()[1])
    pixels = tifffile.imread(result.target.image.entry.source)
    np.testing.assert_array_equal(result.image_picture(1), pixels)
    assert result.picture(0).shape == (90, 130, 3)


def test_pictures_of_large_images_are_smaller(result: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(plane_result, "OVERVIEW_SIDE", 50)
    assert result.overview_factor == 3
    assert result.overview(0).shape == (30, 44)
    assert result.picture(0).shape == (30, 44, 3)


def test_pictures_are_drawn_alike_in_stripes(result: Any, monkeypatch: Any) -> None:
    whole, maps = result.picture(0), np.stack([result.values(0)])
    maps[0, 20:40] = np.nan
    holed = result._drawn(maps, 1)[0]
    monkeypatch.setattr(plane_result, "_STRIPE", 7)
    result._image_pictures.clear()
    np.testing.assert_array_equal(result._drawn(result.values(0)[np.newaxis], 1)[0], whole)
    np.testing.assert_array_equal(result._drawn(maps, 1)[0], holed)
    np.testing.assert_array_equal(holed[20:40], result.image_picture(1)[20:40])


def test_objects_are_those_of_the_library(result: Any) -> None:
    maps = result.maps.eager(result.encoding)
    for number, prompt in enumerate(maps.prompts):
        ours, theirs = result.objects(number), maps.objects(prompt)
        np.testing.assert_array_equal(ours.labels, theirs.labels)
        assert ours.record == theirs.record
        assert ours.table.names == theirs.table.names
        np.testing.assert_array_equal(result.peaks(number)[0], maps.peaks(prompt)[0])


def test_labels_of_huge_images_are_refused(result: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(plane_result, "_LARGEST_LABELED", 100)
    with pytest.raises(SettingsError, match="megapixels"):
        result.objects(0)


def test_files_of_large_images_are_the_same_though_made_side_by_side(
    run: Any, scene: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    written = []
    for name in ("small", "large"):
        worker = run(scene, output=tmp_path / name, write=("maps", "overlays"))
        written.append({path.name: path.read_bytes() for path in worker.job.folder.glob("scene_*")})
        monkeypatch.setattr(plane_result, "_SMALL", 0)
    assert len(written[0]) == 4
    assert written[0] == written[1]
