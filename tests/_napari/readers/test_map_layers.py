from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from napari_clip_heatmap.errors import ImageError


def by_name(layers):
    return {options["name"]: (data, options, kind) for data, options, kind in layers}


def test_maps_come_with_their_prompts_on_the_image(read, job, expected):
    layers = read(job / "out" / "cells.ome.zarr")
    assert [options["name"] for _, options, _ in layers][-2:] == ["filaments", "nuclei"]
    found = by_name(layers)
    for number, prompt in enumerate(["nuclei", "filaments"]):
        data, options, kind = found[prompt]
        np.testing.assert_allclose(np.asarray(data), expected[number], atol=1e-6)
        low, high = options["contrast_limits"]
        assert low <= np.nanmin(data) < np.nanmax(data) <= high
        assert kind == "image"
        assert options["colormap"] == "jet"
        assert options["visible"] == (number == 0)
        assert options["metadata"]["clip_heatmap"]["prompt"] == prompt


def test_labels_come_with_their_measurements(read, job):
    layers = by_name(read(job / "out" / "cells.ome.zarr"))
    data, options, kind = layers["nuclei objects"]
    assert kind == "labels"
    numbers = {*np.unique(np.asarray(data)).tolist()} - {0}
    assert {*options["features"]["index"]} == numbers
    assert {"area", "prompt"} <= {*options["features"].columns}


def test_damage_is_said(read, job, tmp_path):
    path = tmp_path / "maps.ome.zarr"
    shutil.copytree(job / "out" / "cells.ome.zarr", path)
    about = json.loads((path / "zarr.json").read_text())
    about["attributes"]["ome"]["multiscales"] = []
    (path / "zarr.json").write_text(json.dumps(about))
    with pytest.raises(ImageError, match=r"maps\.ome\.zarr.*damaged"):
        read(path)
