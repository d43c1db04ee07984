from __future__ import annotations

import json
from importlib.metadata import version

import pytest
from typer.testing import CliRunner

from napari_clip_heatmap.cli import app, doctor_command
from napari_clip_heatmap.cli.doctor_command import Checkup, examine
from napari_clip_heatmap.errors import DeviceError


def test_what_is_here_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_clip_heatmap.cli.display_obstacle", lambda: "no screen")
    found = {each.what: each for each in examine()}
    assert found["numpy"] == Checkup("numpy", version("numpy"))
    assert found["device"].found.endswith("the probe was exact")
    assert "ZLIB" in found["codecs"].found
    assert "demo" in found["models here"].found
    assert "no screen" in found["display"].found
    assert {"threads", "cache", "disk"} <= set(found)


def test_faults_come_with_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(name: str) -> None:
        raise DeviceError("the device is gone; take another")

    monkeypatch.setattr("napari_clip_heatmap.api.load_model", fails)
    monkeypatch.setattr(doctor_command, "_PACKAGES", ("numpy", "no-such-package"))
    monkeypatch.setattr("napari_clip_heatmap.cli.display_obstacle", lambda: "no Qt binding")
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 1
    for advice in ("pip install no-such-package", "take another", "napari[all]"):
        assert advice in result.stdout
    reported = json.loads(CliRunner().invoke(app, ["doctor", "--json"]).stdout)
    assert {"what", "found", "advice"} == set(reported[0])
