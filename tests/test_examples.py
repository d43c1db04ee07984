"""The examples in public docstrings run as written, with the bundled model and a drawn image."""

from __future__ import annotations

import doctest
import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import napari_clip_heatmap as nch
from napari_clip_heatmap import api
from napari_clip_heatmap.errors import shorten
from napari_clip_heatmap.scenes.scene import draw

# These must have examples; of other public names those that are there are run.
DOCUMENTED = [*api.__all__, "ClipModel", "Decomposition"]


def public_objects() -> dict[str, Any]:
    found: dict[str, Any] = {"the package": nch, "shorten": shorten}
    for name in nch.__all__:
        value = getattr(nch, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            found[name] = value
    return found


def examples() -> list[doctest.DocTest]:
    finder = doctest.DocTestFinder(recurse=False)
    found = []
    for name, value in public_objects().items():
        members = vars(value).items() if inspect.isclass(value) else ()
        methods = {f"{name}.{key}": each for key, each in members if inspect.isfunction(each)}
        for label, each in {name: value, **methods}.items():
            found += [test for test in finder.find(each, label, module=False) if test.examples]
    return found


EXAMPLES = examples()


@pytest.fixture(scope="module")
def names() -> dict[str, Any]:
    """What the examples take for granted."""
    model = nch.load_model("demo", device="cpu")
    image = draw(0, size=(96, 96)).image
    batch = model.preprocess(np.full((1, 96, 96, 3), 0.5, np.float32))
    encoding = nch.encode(model, image)
    return {
        "nch": nch,
        "np": np,
        "model": model,
        "image": image,
        "batch": batch,
        "encoding": encoding,
        "example": encoding.example([(20, 30), (52, 41)], name="my vesicles"),
        "maps": encoding.heatmaps(["nuclei", "filaments"]),
        "stack": np.stack([image[..., 0], image[..., 1]]),
        "labels": np.repeat(np.arange(4, dtype=np.int32), 24)[:, np.newaxis]
        * np.ones(96, np.int32),
        "shorten": shorten,
    }


@pytest.mark.parametrize("name", DOCUMENTED)
def test_every_public_function_has_an_example(name: str) -> None:
    assert name in {test.name for test in EXAMPLES}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda test: test.name)
def test_examples(
    example: doctest.DocTest,
    names: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    # A fresh copy: an example may bind a name of another one.
    example.globs = dict(names)
    output: list[str] = []
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    result = doctest.DocTestRunner(optionflags=flags).run(example, out=output.append)
    assert result.failed == 0, "".join(output)
