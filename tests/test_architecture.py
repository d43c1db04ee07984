"""The house rules that a linter cannot see, or that one more witness should back."""

from __future__ import annotations

import ast
import json
import statistics
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import napari_clip_heatmap

PACKAGE = Path(napari_clip_heatmap.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

GUI = {"napari", "magicgui", "qtpy", "superqt", "vispy", "PyQt5", "PyQt6", "PySide2", "PySide6"}
TORCH = {"torch", "open_clip", "timm", "torchvision"}


def loaded_by(*modules: str) -> set[str]:
    """Top-level modules that a fresh interpreter holds after importing `modules`."""
    code = (
        f"import json, sys, {', '.join(f'napari_clip_heatmap.{m}' for m in modules)}\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout))


def test_the_package_itself_is_light() -> None:
    assert not loaded_by("errors") & (GUI | TORCH | {"numpy", "cv2", "typer", "rich"})


def test_the_library_needs_no_gui() -> None:
    assert (
        not loaded_by("api", "evaluation", "batch.cluster_run", "batch.demo_pictures", "cli") & GUI
    )


def test_the_command_line_starts_light() -> None:
    assert not loaded_by("cli") & (GUI | TORCH | {"numpy", "cv2", "skimage"})


@pytest.mark.parametrize("folder", ["imaging", "annotation", "scenes", "files"])
def test_pixels_need_no_torch(folder: str) -> None:
    modules = [
        f"{folder}.{path.stem}"
        for path in MODULES
        if path.parent == PACKAGE / folder and path.stem != "__init__"
    ]
    assert modules
    assert not loaded_by(folder, *modules) & (GUI | TORCH)


def test_the_algebra_knows_no_model_and_no_file() -> None:
    modules = [f"core.{path.stem}" for path in (PACKAGE / "core").glob("[!_]*.py")]
    assert modules
    loaded = loaded_by("core", *modules)
    assert not loaded & (GUI | {"open_clip", "timm", "dask", "zarr", "tifffile", "imageio"})


def test_modules_have_a_good_length() -> None:
    lengths = {
        str(path): len(path.read_text(encoding="utf-8").splitlines())
        for path in MODULES
        if path.stem != "__init__"
    }
    assert {path: lines for path, lines in lengths.items() if lines > 400} == {}
    assert 120 <= statistics.median(lengths.values()) <= 200


def test_no_folder_is_crowded() -> None:
    counts = Counter(path.parent for path in MODULES if path.stem != "__init__")
    counts.pop(PACKAGE / "clip" / "families")  # one file a family
    assert {str(folder): n for folder, n in counts.items() if n > 16} == {}


def test_no_two_modules_have_one_name() -> None:
    counts = Counter(path.stem for path in MODULES if path.stem != "__init__")
    assert {name for name, n in counts.items() if n > 1} == set()


def test_no_public_name_is_defined_twice() -> None:
    """The doors in `api` and the functions that each extension must have are excepted."""
    protocols = {
        "clip/families": {"adapt", "resize"},
        "clip/sources/layouts": {"convert_weights", "has_names", "open_clip_config"},
        "cli": {"register"},
        "files/object_formats": {"write"},
    }
    found: dict[str, list[str]] = {}
    for path in MODULES:
        where = path.relative_to(PACKAGE).as_posix()
        excepted = protocols.get(path.parent.relative_to(PACKAGE).as_posix(), set())
        for node in [] if where == "api.py" else ast.parse(path.read_text("utf-8")).body:
            defines = isinstance(node, ast.FunctionDef | ast.ClassDef)
            if defines and not node.name.startswith("_") and node.name not in excepted:
                found.setdefault(node.name, []).append(where)
    assert {name: where for name, where in found.items() if len(where) > 1} == {}


def test_every_longer_module_has_its_tests() -> None:
    tests = Path(__file__).parent
    missing = []
    for path in MODULES:
        where = path.relative_to(PACKAGE)
        wanted = tests / where.with_name(f"test_{path.stem.strip('_')}.py")
        long = len(path.read_text(encoding="utf-8").splitlines()) > 100
        if where.parent.as_posix() == "clip/families":
            continue  # all families are tested together, against one oracle
        if long and path.stem != "__init__" and not wanted.exists():
            missing.append(where.as_posix())
    assert missing == []


def test_functions_are_short() -> None:
    lengths = []
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                lengths.append(body[-1].end_lineno - body[0].lineno + 1 if body else 0)
    assert statistics.quantiles(lengths, n=10)[-1] <= 30


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        str(path) for path in MODULES if not ast.get_docstring(ast.parse(path.read_text("utf-8")))
    ]
    assert silent == []


def test_nothing_starts_an_event_loop_of_its_own() -> None:
    nested = {"exec", "exec_", "processEvents", "QEventLoop", "question"}
    nested |= {"getOpenFileName", "getOpenFileNames", "getSaveFileName", "getExistingDirectory"}
    for path in MODULES:
        calls = [n.func for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call)]
        called = {getattr(call, "attr", getattr(call, "id", "")) for call in calls}
        assert not called & nested, path


def test_no_vague_rooms() -> None:
    vague = {"util", "utils", "helper", "helpers", "misc", "common", "manager"}
    assert [str(path) for path in MODULES if path.stem.strip("_") in vague] == []
