from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from napari_clip_heatmap._napari.job.request import (
    HeatmapRequest,
    HeatmapResult,
    PlaneRequest,
    ResultStatus,
    layer_records,
)
from napari_clip_heatmap._napari.job.run import PromptScorer
from napari_clip_heatmap.errors import SettingsError
from napari_clip_heatmap.files.reproduction_script import python_script
from napari_clip_heatmap.imaging.channel import Channel, as_channels
from napari_clip_heatmap.imaging.compositing import Blend, ThickPlane
from napari_clip_heatmap.imaging.view import View
from napari_clip_heatmap.pipeline.encode import encode


def request(**settings):
    planes = (PlaneRequest((), as_channels(np.zeros((4, 4)))),)
    return HeatmapRequest(planes, ("red",), **settings)


def result(status):
    return HeatmapResult(
        stack=None,
        limits=(),
        scoring=None,
        keys=(),
        similarity=np.zeros(0, np.float32),
        unowned=np.zeros(0, np.float32),
        tiling={},
        encodings={},
        tiles=0,
        seconds=0.0,
        status=status,
    )


def test_a_model_is_loaded_with_the_options_that_were_set_and_no_others():
    assert request().loading == ("demo", {"device": "auto"})
    other = request(model="ViT-B-32/openai", device="cpu", precision="fp32", preprocess="half")
    options = {"device": "cpu", "precision": "fp32", "preprocess": "half"}
    assert other.loading == ("ViT-B-32/openai", options)


@pytest.mark.parametrize("mode", ["raw", "min-max"])
def test_a_view_is_described_by_its_mode(mode):
    assert request(view=View(mode)).view_record == {"mode": mode, "invert": False}


def test_a_view_as_shown_is_described_by_limits_and_gamma():
    channel = Channel((np.zeros((4, 4)),), limits=(1.0, 9.0), gamma=0.5)
    shown = HeatmapRequest((PlaneRequest((), (channel,)),), ("red",), view=View("shown"))
    assert shown.view_record["limits"] == [[1.0, 9.0]]
    assert shown.view_record["gamma"] == [0.5]


@pytest.mark.parametrize("status", ResultStatus)
def test_all_but_a_partial_result_are_final_and_only_one_is_complete(status):
    assert result(status).final is (status is not ResultStatus.PARTIAL)
    assert result(status).complete is (status is ResultStatus.COMPLETE)


ORIGIN = {
    "layer": "cells",
    "path": None,
    "shape": [40, 50],
    "dtype": "float64",
    "sample": None,
    "levels": [],
    "colormap": None,
}

MODEL = {"name": "demo", "image_size": [96, 96], "mean": [0.5] * 3, "std": [0.5] * 3}
"""Of the record of a model that a script can load."""


def described(model, channels, pixels):
    """The records of two prompts on some channels."""
    request = HeatmapRequest(
        (PlaneRequest((), channels),),
        ("red", "green"),
        ("a", "b"),
        view=View("shown"),
        origins=(ORIGIN,) * len(channels),
    )
    scorer = PromptScorer(request, model.text)
    scorer.paint((), encode(model, pixels, downsample=1))
    result = scorer.result(ResultStatus.COMPLETE, tiles=3)
    return layer_records(result, request, source="cells", source_id="7")


@pytest.fixture
def pixels():
    return np.random.default_rng(0).random((40, 50, 3))


def test_each_prompt_has_a_record_that_json_can_hold(model, pixels):
    channel = Channel((pixels[..., 0],), limits=(0.0, 2.0), gamma=0.5)
    first, second = described(model, (channel,), pixels)
    assert (first["prompt"], first["row"], second["prompt"]) == ("red", "a", "green")
    assert first["complete"]
    assert (first["source"], first["source_id"]) == ("cells", "7")
    assert first["origins"][0]["limits"] == [0.0, 2.0]
    assert first["origins"][0]["blend"] is None
    assert json.loads(json.dumps(first)) == first


def test_blending_is_told_and_the_script_repeats_it(model, pixels):
    blend = Blend("minimum", 0.5, 1, (0.1, 0.1, 0.1))
    channel = Channel((pixels[..., 0],), limits=(0.0, 1.0), blend=blend)
    record, _ = described(model, (replace(channel, blend=Blend()), channel), pixels)
    reported = record["origins"][1]["blend"]
    assert Blend(**{**reported, "background": tuple(reported["background"])}) == blend
    record["model"] = {**record["model"], **MODEL}
    assert "blend=Blend(**{'mode': 'minimum'" in python_script(record)


def test_a_thick_slice_is_told_and_no_script_claims_to_repeat_it(model, pixels):
    thick = ThickPlane(pixels.transpose(2, 0, 1), ((0, 2),), "max")
    record, _ = described(model, (Channel((thick,), limits=(0.0, 1.0)),), pixels)
    assert record["origins"][0]["projection"] == {"name": "max", "ranges": [[0, 2]]}
    record["model"] = {**record["model"], **MODEL}
    with pytest.raises(SettingsError, match="thick slice"):
        python_script(record)
