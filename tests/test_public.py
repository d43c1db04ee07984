"""What `import napari_clip_heatmap` costs, and what it offers."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import napari_clip_heatmap as nch


def in_fresh_interpreter(code):
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def test_importing_imports_nothing_else():
    loaded = in_fresh_interpreter(
        "import sys, json; before = set(sys.modules)\n"
        "import napari_clip_heatmap\n"
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    assert set(loaded) <= {"__future__", "napari_clip_heatmap"}


def test_encoding_an_image_needs_no_gui():
    loaded = in_fresh_interpreter(
        "import sys, json, napari_clip_heatmap\n"
        "napari_clip_heatmap.encode, napari_clip_heatmap.Encoding, napari_clip_heatmap.load_model\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    assert "numpy" in loaded
    assert not {"napari", "magicgui", "qtpy", "torch", "open_clip"} & set(loaded)


@pytest.mark.parametrize("name", nch.__all__)
def test_every_public_name_is_there(name):
    assert getattr(nch, name)


def test_public_names_are_sorted_and_listed():
    assert list(nch.__all__) == sorted(nch.__all__)
    assert set(nch.__all__) <= set(dir(nch))


def test_unknown_names_are_refused():
    with pytest.raises(AttributeError, match="no attribute 'heatmap'"):
        nch.heatmap  # noqa: B018


def test_names_are_those_of_their_modules():
    from napari_clip_heatmap.errors import ClipHeatmapError
    from napari_clip_heatmap.pipeline.encode import encode
    from napari_clip_heatmap.pipeline.encoding import Encoding

    assert nch.encode is encode
    assert nch.Encoding is Encoding
    assert nch.ClipHeatmapError is ClipHeatmapError
