from __future__ import annotations

import numpy as np
import pytest

from napari_clip_heatmap._napari.annotation_state import ObjectRule, ObjectSettings
from napari_clip_heatmap._napari.job.object_stack import (
    in_one_stack,
    slice_figures,
    stack_objects,
    write_slice_figures,
)
from napari_clip_heatmap.errors import ImageError, OutputError

PROMPTS = ("red", "green")


def test_where_objects_overlap_the_clearer_one_has_the_pixel(request_of, maps):
    low = {key: float(maps.lattice_values[n].min()) for n, key in enumerate(PROMPTS)}
    everywhere = ObjectSettings(
        rule=ObjectRule.EVERY, by_image=False, threshold="by hand", limits=low
    )
    request = request_of(maps, everywhere)
    stack = in_one_stack(request, request.find(), ())
    prompts = dict(zip(stack.table["label"], stack.table["prompt"], strict=True))
    assert prompts[stack.labels[50, 10]] == "red"
    assert prompts[stack.labels[50, 120]] == "green"


def test_planes_are_numbered_on_and_say_where_they_are(request_of, maps, tmp_path):
    request = request_of(maps, leading=(3,), planes=((0,), (2,)))
    found = request.find()
    stack = stack_objects(request, found, "red", ("t",))
    assert stack.labels.shape == (3, 96, 128)
    assert not stack.labels[1].any()
    assert {*np.unique(stack.labels[0])} & {*np.unique(stack.labels[2])} == {0}
    assert {*stack.table["t"]} == {0, 2}
    assert stack.table.names[:3] == ("label", "prompt", "t")
    red, green = slice_figures(request, found, ("t",))
    assert red.positions == green.positions == (0, 2)
    assert red.counts[0] == red.counts[1] == len(found[(0,)]["red"])
    write_slice_figures(tmp_path / "a.csv", (red, green))
    lines = (tmp_path / "a.csv").read_text().splitlines()
    assert lines[0] == "prompt,t,count,area"
    assert len(lines) == 5
    with pytest.raises(OutputError, match="was not written"):
        write_slice_figures(tmp_path / "absent" / "a.csv", (red,))
    assert list(slice_figures(request_of(maps), request_of(maps).find(), ())) == []


def test_coarse_labels_are_enlarged_to_image_pixels(request_of, maps):
    request = request_of(maps, most=2000)
    stack = stack_objects(request, request.find(), "red", ())
    assert stack.labels.shape == (24, 32)
    assert stack.at_image_pixels((96, 128)).labels.shape == (96, 128)
    assert stack.at_image_pixels((95, 126)).labels.shape == (95, 126)


def test_labels_that_would_not_fit_into_memory_are_refused(request_of, maps, monkeypatch):
    module = "napari_clip_heatmap._napari.job.object_stack.LARGEST_STACK_BYTES"
    monkeypatch.setattr(module, 1000)
    request = request_of(maps)
    with pytest.raises(ImageError, match="GB of memory"):
        stack_objects(request, request.find(), "red", ())
