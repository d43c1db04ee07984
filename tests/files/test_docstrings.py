"""The examples in the docstrings of files and of the command line run as written."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from pathlib import Path

import pytest

import napari_clip_heatmap as nch
from napari_clip_heatmap import cli, files

MODULES = [
    module.name
    for package in (files, cli)
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    if not module.ispkg
]


@pytest.mark.parametrize("name", [*MODULES, "napari_clip_heatmap.imaging.pillow_images"])
def test_examples_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    output: list[str] = []
    runner = doctest.DocTestRunner()
    for example in doctest.DocTestFinder().find(module, extraglobs={"nch": nch}):
        runner.run(example, out=output.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(output)


@pytest.mark.parametrize("name", [name for name in MODULES if "object" not in name])
def test_every_public_function_has_an_example(name: str) -> None:
    module = importlib.import_module(name)
    for public in module.__all__:
        value = getattr(module, public)
        if getattr(value, "__module__", "") == name and callable(value):
            assert ">>>" in (value.__doc__ or ""), public
