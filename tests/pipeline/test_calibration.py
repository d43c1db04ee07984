"""The record of a model's limits: found by the hash of its weights, refused if damaged."""

from __future__ import annotations

import dataclasses
import json

import pytest

from napari_clip_heatmap.api import load_model
from napari_clip_heatmap.errors import SettingsError
from napari_clip_heatmap.pipeline import calibration as module
from napari_clip_heatmap.pipeline.calibration import (
    Calibration,
    ExampleLimits,
    TextLimits,
    find_calibration,
    read_calibration,
)

RECORD = Calibration(
    "f" * 64, "x", "two images", 1.0, 2.0, -3.0, -1.0, 1.0, 0.1, 0.2, 0.3,
    TextLimits(0.9, 1.2), {"present, none": 2.0}, ExampleLimits(-0.1, 0.6),
)  # fmt: skip


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_user_folder", lambda: tmp_path / "records")
    find_calibration.cache_clear()
    yield
    find_calibration.cache_clear()


def test_what_is_written_is_found_at_once():
    assert find_calibration("f" * 64) is None
    path = RECORD.write()
    assert read_calibration(path) == find_calibration("f" * 64) == RECORD


def test_a_record_of_an_earlier_version_has_no_limits_for_examples(tmp_path):
    path = RECORD.write(tmp_path)
    values = json.loads(path.read_text("utf-8"))
    del values["examples"]
    path.write_text(json.dumps(values), "utf-8")
    assert read_calibration(path) == dataclasses.replace(RECORD, examples=None)


def test_the_bundled_model_is_calibrated_and_the_users_own_record_wins():
    sha = load_model("demo", device="cpu").weights_sha256
    bundled = find_calibration(sha)
    assert bundled is not None
    assert bundled.low < bundled.high
    own = dataclasses.replace(bundled, high=bundled.high + 1)
    own.write()
    assert find_calibration(sha) == own


@pytest.mark.parametrize(
    "change",
    [
        lambda values: values.pop("high"),
        lambda values: values.update(high="high"),
        lambda values: values.update(high=float("nan")),
        lambda values: values.update(low=True),
        lambda values: values.update(text={"none": 1}, extra=3),
        lambda values: values.update(examples={"far": 1}),
        lambda values: values.update(examples=[1, 2]),
        lambda values: values.clear(),
    ],
)
def test_a_damaged_record_is_refused(tmp_path, change):
    path = RECORD.write(tmp_path)
    values = json.loads(path.read_text("utf-8"))
    change(values)
    path.write_text(json.dumps(values), "utf-8")
    with pytest.raises(SettingsError, match="is no calibration"):
        read_calibration(path)


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff\xfe", b"{"])
def test_a_file_that_is_no_record_is_refused(tmp_path, content):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match="calibrat"):
        read_calibration(path)
