"""A layer's record is enough to compute the layer again, in another process, and to tell of it."""

from __future__ import annotations

import json
import subprocess
import sys

import napari
import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel
from napari.layers import Image
from napari.layers._source import layer_source
from napari.utils import Colormap

import napari_clip_heatmap as nch
from napari_clip_heatmap._napari.inputs.layer_channels import channels_of
from napari_clip_heatmap._napari.inputs.layer_planes import describe_origin
from napari_clip_heatmap._napari.job.request import HeatmapRequest, PlaneRequest, layer_records
from napari_clip_heatmap._napari.job.session import Session
from napari_clip_heatmap._napari.sample_data import drawn_scene
from napari_clip_heatmap.errors import SettingsError
from napari_clip_heatmap.imaging.masks import LabeledRegion

RUNNER = """
import os, runpy, sys
for folder in sys.argv[1:]:
    os.chdir(folder)
    runpy.run_path("again.py")
"""


@pytest.fixture(scope="module")
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="module")
def viewer():
    return ViewerModel()


def answered(layers, indices=((),), **settings):
    """Ask the bundled model about layers; return the marks and data of the heatmap layers."""
    settings = {"downsample": 1, **settings}
    question = HeatmapRequest(
        planes=tuple(PlaneRequest(index, channels_of(layers, index)) for index in indices),
        keys=settings["prompts"],
        leading=tuple(layers[0].data.shape[:1]) if indices[0] else (),
        stores=tuple(layer.data[0] if layer.multiscale else layer.data for layer in layers),
        device="cpu",
        channel_names=tuple(layer.name for layer in layers),
        origins=tuple(describe_origin(layer) for layer in layers),
        **settings,
    )
    asking = Session().run(question, lambda: False)
    while True:
        try:
            next(asking)
        except StopIteration as end:
            answer = end.value
            break
    marks = layer_records(answer, question, source=layers[0].name, source_id="1")
    maps = [np.asarray(answer.stack.layer_data(n)) for n in range(len(marks))]
    return json.loads(json.dumps(marks)), maps


def of_a_file(viewer, rng, folder):
    tifffile.imwrite(folder / "cells ü.tif", rng.integers(0, 4000, (150, 170), np.uint16))
    with layer_source(path=str(folder / "cells ü.tif"), reader_plugin="napari"):
        layer = viewer.add_image(tifffile.imread(folder / "cells ü.tif"))
    layer.colormap, layer.gamma, layer.contrast_limits = "magma", 0.7, (100, 3000)
    words = ("nuclei | cell nuclei", "filaments - background", "debris 'x' \"y\" \\n")
    return answered([layer], prompts=words, region=nch.Region((20, 10, 120, 99.5)))


def of_channels_of_a_stack(viewer, rng, folder):
    ramp = Colormap([[0, 0, 0, 1], [1, 0.2, 0, 1], [1, 1, 1, 1]], "mine", controls=[0, 0.3, 1])
    layers = [
        viewer.add_image(rng.random((3, 100, 110)).astype(np.float32), name=name, colormap=colours)
        for name, colours in (("a/b", ramp), ("a b", "green"))
    ]
    settings = {"templates": "fluorescence", "baseline": ("debris",)}
    words = ("nuclei", "filaments")
    return answered(layers, ((2,), (0,)), prompts=words, score="softmax", **settings)


def of_a_sample(viewer, rng, folder):
    ((pixels, settings, _),) = drawn_scene()
    with layer_source(sample=("napari-clip-heatmap", "drawn_scene")):
        layer = viewer.add_image(pixels, **settings)
    outlines = nch.Outlines([np.array([[20.5, 30], [400, 60], [300.25, 450]])])
    view = nch.View("percentile", invert=True, low=2)
    region = nch.Region(mask=outlines)
    return answered([layer], prompts=("nuclei",), downsample=3, view=view, region=region)


def of_a_pyramid(viewer, rng, folder):
    fine = rng.integers(0, 255, (400, 300), np.uint8)
    coarse = rng.integers(0, 255, (200, 150), np.uint8)  # no halved one: which is read matters
    layer = viewer.add_image([fine, coarse], name="pyramid", multiscale=True)
    return answered([layer], prompts=("nuclei", "debris"), score="absolute", downsample=2)


CASES = [of_a_file, of_channels_of_a_stack, of_a_sample, of_a_pyramid]


@pytest.fixture(scope="module")
def again(viewer, rng, tmp_path_factory):
    """Per case the layers' records and values, and what a script for the last computes."""
    made, folders = {}, []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLIP_HEATMAP_CACHE", str(tmp_path_factory.mktemp("encodings")))
        for case in CASES:
            folder = tmp_path_factory.mktemp(case.__name__)
            made[case.__name__] = (*case(viewer, rng, folder), folder)
            folders.append(folder)
            script = nch.python_script(made[case.__name__][0][-1])
            (folder / "again.py").write_text(script, encoding="utf-8")
            with pytest.MonkeyPatch.context() as there:
                there.chdir(folder)
                for line in script.splitlines():  # what it asks for in napari's console
                    if line.startswith("#     np.save("):
                        exec(line.removeprefix("#").strip(), {"np": np, "viewer": viewer})
    done = subprocess.run(
        [sys.executable, "-c", RUNNER, *map(str, folders)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return made


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_the_script_computes_the_layer_again(again, case):
    _, maps, folder = again[case.__name__]
    heatmap = np.load(folder / "heatmap.npy")
    assert heatmap.shape == maps[-1].shape
    np.testing.assert_array_equal(np.isnan(heatmap), np.isnan(maps[-1]))
    np.testing.assert_allclose(heatmap, maps[-1], rtol=0, atol=1e-6)
    spread = np.nanmax(maps[-1]) - np.nanmin(maps[-1])
    assert np.nanmax(np.abs(heatmap - maps[-1])) < 1e-4 * spread, "not merely as small"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_a_record_says_all_that_made_the_layer(again, case):
    for mark in again[case.__name__][0]:
        reported = {name for name, value in mark.items() if value not in (None, "", {})}
        assert reported >= {
            "prompt",
            "direction",
            "score",
            "view",
            "tiling",
            "model",
            "weights_sha256",
            "versions",
            "device",
            "precision",
            "created",
            "seconds",
            "origins",
        }
        assert mark["precision"] == "float32"
        assert mark["versions"]["napari"] == napari.__version__
        assert {"torch", "open_clip_torch", "numpy", "python"} < set(mark["versions"])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_the_methods_text_tells_what_was_done_and_cites(again, case):
    mark = again[case.__name__][0][0]
    text = nch.methods_text(mark)
    for word in (
        "2103.00020",
        "2310.05916",
        "OpenCLIP",
        "napari contributors",
        mark["version"],
        mark["versions"]["torch"],
        mark["weights_sha256"][:16],
        mark["score"],
        f"{mark['similarity']:.4f}",
        *mark["prompts"],
    ):
        assert str(word) in text
    assert "None" not in text
    paragraph, *_ = text.split("\n\n")
    assert "\n" not in paragraph


def test_texts_differ_where_what_was_done_differs(again):
    sample = nch.methods_text(again["of_a_sample"][0][0])
    assert "percentile 2 to 99.8 of its values (values " in sample
    assert " as black to white) and inverted" in sample
    assert "Only a region" in sample
    assert "neutral" not in sample
    stack = nch.methods_text(again["of_channels_of_a_stack"][0][0])
    assert 'channels "a/b" and "a b"' in stack
    assert 'softmax over all 2 prompts and "debris"' in stack
    assert "as they are and put into" in stack
    assert "2 planes of a stack" in stack
    assert "plane" not in sample


def test_a_script_stops_at_another_image_or_model(again):
    mark = again["of_a_pyramid"][0][0]
    script = nch.python_script(mark)
    for old, new, reported in (
        ("STORED = [((400, 300)", "STORED = [((400, 301)", "another image"),
        (f"WEIGHTS = '{mark['weights_sha256'][:4]}", "WEIGHTS = 'beef", "another model"),
    ):
        assert old in script
        code = script.replace(old, new)
        folder = again["of_a_pyramid"][2]
        with pytest.MonkeyPatch.context() as there:
            there.chdir(folder)
            with pytest.raises(SystemExit, match=reported):
                exec(compile(code, "again.py", "exec"), {"__name__": "again"})


def test_labels_are_left_out_and_that_is_said(again):
    mark = json.loads(json.dumps(again["of_a_pyramid"][0][0]))
    region = nch.Region(mask=LabeledRegion(np.ones((4, 4), int)))
    mark["tiling"]["region"] = region.describe()
    script = nch.python_script(mark)
    assert "NaN outside of labels" in script
    compile(script, "again.py", "exec")


def test_what_cannot_be_repeated_is_refused(again):
    mark = again["of_a_file"][0][0]
    with pytest.raises(SettingsError, match="origins"):
        nch.python_script({**mark, "origins": []})
    with pytest.raises(SettingsError, match="ready model"):
        nch.python_script({**mark, "model": {**mark["model"], "name": "custom"}})
    with pytest.raises(SettingsError, match="tiling"):
        nch.methods_text({"prompts": ["a"], "score": "relative", "model": {"name": "x"}})


def test_scripts_hold_whatever_users_type(again):
    mark = again["of_a_file"][0][-1]
    for nasty in ('"""', "'''\n\\", "🔬 {x} \\N", "a\u2028b"):
        script = nch.python_script({**mark, "prompt": nasty, "source": nasty})
        scope = {}
        exec(script[: script.index("WORDS")].replace("import napari_clip_heatmap", "#"), scope)
        assert scope["PROMPT"] == nasty


def test_the_origin_of_a_layer_without_a_file():
    layer = Image(np.zeros((4, 5, 3), np.uint8), name="x", rgb=True)
    reported = describe_origin(layer)
    assert (reported["path"], reported["sample"], reported["colormap"]) == (None, None, None)
    assert reported["levels"] == []
    assert (reported["shape"], reported["dtype"]) == ([4, 5, 3], "uint8")
