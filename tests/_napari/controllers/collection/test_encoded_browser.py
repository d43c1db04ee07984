from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

import napari_clip_heatmap as nch
from napari_clip_heatmap._napari.encoded_images_dock import EncodedImagesDock
from napari_clip_heatmap.batch.encoded_images import find_encodings, search_encodings
from napari_clip_heatmap.batch.image_worker import ImageWorker
from napari_clip_heatmap.batch.run_job import plan_job
from napari_clip_heatmap.batch.run_settings import RunSettings
from napari_clip_heatmap.scenes.scene import draw

WORDS = "cell nuclei"


@pytest.fixture(scope="module")
def encoded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A job over four drawn scenes and a noise image."""
    folder = tmp_path_factory.mktemp("set")
    (folder / "images").mkdir()
    for number in range(4):
        scene = draw(number, size=(128, 128))
        tifffile.imwrite(folder / "images" / f"scene{number}.tif", scene.image)
    noise = np.random.default_rng(0).integers(0, 255, (150, 200), dtype=np.uint8)
    tifffile.imwrite(folder / "images" / "noise.tif", noise)
    inputs = (str(folder / "images"),)
    job = plan_job(RunSettings(inputs, (), folder / "out", device="cpu", write=("encodings",)))
    worker = ImageWorker(nch.load_model("demo", device="cpu"), job.settings, job.folder)
    for image in job.images:
        assert worker.work(image).reason == ""
    return folder / "out"


@pytest.fixture
def dock(make_napari_viewer: Any, encoded: Path, qtbot: Any) -> Any:
    viewer = make_napari_viewer()
    dock = EncodedImagesDock(viewer)
    viewer.window.add_dock_widget(dock, name="Encoded images")
    dock.controller.open_folder(encoded)
    qtbot.waitUntil(lambda: dock.controller.collection is not None, timeout=60_000)
    dock.viewer_of_test = viewer
    return dock


def test_typing_ranks_the_images_as_the_search_does(dock: Any, encoded: Path, qtbot: Any) -> None:
    assert dock.shown() == ["noise", "scene0", "scene1", "scene2", "scene3"]
    dock.words.setText(WORDS)
    qtbot.waitUntil(lambda: "first" in dock.status.text(), timeout=60_000)
    found = search_encodings(WORDS, find_encodings([str(encoded)]))
    ranked = sorted(found, key=lambda each: -each.similarity)
    expected = [
        f"{each.path.name.removesuffix('_encoding.zarr.zip')}\n{each.similarity:.3f}"
        for each in ranked
    ]
    assert dock.shown() == expected
    for row in range(dock.pictures.count()):
        picture = dock.pictures.item(row).icon().pixmap(96, 96).toImage()
        assert picture.pixelColor(48, 48).alpha() == 255  # a thumbnail
    dock.words.setText("")
    qtbot.waitUntil(lambda: dock.shown()[0] == "noise", timeout=60_000)


def test_a_click_opens_the_image_with_its_map(dock: Any, encoded: Path, qtbot: Any) -> None:
    viewer = dock.viewer_of_test
    dock.words.setText(WORDS)
    qtbot.waitUntil(lambda: "first" in dock.status.text(), timeout=60_000)

    def click(name: str) -> None:
        (row,) = [n for n, text in enumerate(dock.shown()) if text.startswith(name)]
        dock.pictures.itemClicked.emit(dock.pictures.item(row))
        qtbot.waitUntil(lambda: dock.status.text() == f"{name} is open", timeout=60_000)

    click("scene2")
    assert [layer.name for layer in viewer.layers] == ["scene2", WORDS]
    np.testing.assert_array_equal(
        viewer.layers["scene2"].data, tifffile.imread(encoded.parent / "images" / "scene2.tif")
    )
    encoding = nch.open_encoding(encoded / "scene2_encoding.zarr.zip")
    maps = encoding.heatmaps([WORDS], score="relative")
    np.testing.assert_allclose(viewer.layers[WORDS].data, maps.values[0], atol=1e-7)
    click("noise")  # takes the place of the last
    assert [layer.name for layer in viewer.layers] == ["noise", WORDS]
    assert viewer.layers["noise"].data.shape == (150, 200)


def test_a_folder_without_encodings_is_said_to_be(dock: Any, tmp_path: Path, qtbot: Any) -> None:
    dock.controller.open_folder(tmp_path)
    qtbot.waitUntil(lambda: "holds no encoding" in dock.status.text(), timeout=60_000)
    assert dock.shown() == []
