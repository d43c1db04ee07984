"""What `import napari_clip_heatmap` costs, and what it offers."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import napari_clip_heatmap as nch

# The public contract: names may be added, never removed.
PUBLISHED = {
    *("Assessment", "Cancelled", "Channel", "ClipHeatmapError", "ClipModel", "Decomposition"),
    *("Encoding", "EncodingCache", "Heatmaps", "LazyHeatmaps", "Outlines", "PromptCheck", "Region"),
    *("Score", "Verdict", "View", "__version__", "assess", "decompose", "download_model", "encode"),
    *("list_models", "load_model", "methods_text", "open_encoding", "python_script", "read_image"),
    "token_map",
}


def in_fresh_interpreter(code):
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def test_importing_imports_nothing_heavy():
    loaded = in_fresh_interpreter(
        "import sys, json; before = set(sys.modules)\n"
        "import napari_clip_heatmap\n"
        "names = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print(json.dumps(sorted(names - sys.stdlib_module_names)))"
    )
    assert loaded == ["lazy_loader", "napari_clip_heatmap"]


def test_encoding_an_image_needs_no_gui():
    loaded = in_fresh_interpreter(
        "import sys, json, napari_clip_heatmap\n"
        "napari_clip_heatmap.encode, napari_clip_heatmap.Encoding, napari_clip_heatmap.load_model\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    assert "numpy" in loaded
    assert not {"napari", "magicgui", "qtpy", "torch", "open_clip"} & set(loaded)


def test_no_published_name_is_missing():
    assert set(nch.__all__) >= PUBLISHED


@pytest.mark.parametrize("name", nch.__all__)
def test_every_public_name_is_there(name):
    assert getattr(nch, name)


def test_public_names_are_sorted_and_listed():
    assert list(nch.__all__) == sorted(nch.__all__)
    assert set(nch.__all__) <= set(dir(nch))


def test_editors_and_type_checkers_see_the_same_names():
    stub = Path(nch.__file__).with_suffix(".pyi")
    (listed,) = (
        ast.literal_eval(node.value)
        for node in ast.parse(stub.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign)
    )
    assert listed == list(nch.__all__)


def test_unknown_names_are_refused():
    with pytest.raises(AttributeError, match="heatmap"):
        nch.heatmap  # noqa: B018


def test_names_are_those_of_their_modules():
    from napari_clip_heatmap import api
    from napari_clip_heatmap.errors import ClipHeatmapError
    from napari_clip_heatmap.pipeline.encoding import Encoding

    assert nch.encode is api.encode
    assert nch.Encoding is Encoding
    assert nch.ClipHeatmapError is ClipHeatmapError
