"""What a user installs: every way of installing leads napari to the manifest and the model."""

from __future__ import annotations

import ast
import importlib
import itertools
import json
import re
import subprocess
import sys
import tarfile
import tomllib
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import Any

import pytest
import yaml
from npe2 import PluginManifest

ROOT = Path(__file__).parents[1]
NAME = "napari-clip-heatmap"
MEGABYTE = 2**20
SAMPLES = ["drawn_scene", "fluorescence_channels", "z_stack", "blood_smear"]
SAMPLES += ["fluorescent_nuclei", "stained_tissue"]
OPTIONAL = {name: name for name in ("h5py", "pyarrow", "tokenizers")}
OPTIONAL |= {"openslide": "openslide-python", "bioio": "bioio", "bioio_base": "bioio-base"}
OPTIONAL |= {"pylibCZIrw": "pylibczirw"}
OPTIONAL |= {f"bioio_{each}": f"bioio-{each}" for each in ("czi", "lif", "nd2")}
"""Needed by few and brought by extras; where one is missing, an error says what to install."""
TOP = ("CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md", "LICENSE", "README.md", "SECURITY.md")

DISCOVER = f"""
import importlib.util, json
from importlib.metadata import version
from npe2 import PluginManifest
found = [r for r in PluginManifest.discover() if r.manifest and r.manifest.name == {NAME!r}]
manifest = found[0].manifest
print(json.dumps({{
    "widgets": [w.display_name for w in manifest.contributions.widgets],
    "samples": [s.key for s in manifest.contributions.sample_data],
    "package": importlib.util.find_spec("napari_clip_heatmap").origin,
    "version": manifest.package_version,
}}))
"""


def run(*command: str | Path, **options: object) -> str:
    """Run a program, and show what it said where it fails."""
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False, **options
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def discover(*paths: Path) -> dict[str, object]:
    """What npe2 finds in a fresh interpreter that looks into `paths` first."""
    code = f"import sys; sys.path[:0] = {[str(path) for path in paths]}\n{DISCOVER}"
    return json.loads(run(sys.executable, "-W", "ignore", "-c", code, cwd=ROOT.parent))


def project() -> dict[str, Any]:
    """The table ``[project]`` of pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def names(requirements: list[str]) -> set[str]:
    """The distributions that requirements name, as the metadata's own rules compare them."""
    found = (re.match(r"[A-Za-z0-9._-]+", requirement) for requirement in requirements)
    return {canonical(match[0]) for match in found if match}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def imported(*folders: str) -> dict[str, str]:
    """Top-level modules of other projects that files import, each with one such file."""
    found = {}
    for path in (path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                modules = [str(node.module)]
            else:
                continue
            for module in modules:
                found[module.partition(".")[0]] = str(path.relative_to(ROOT))
    own = {path.stem for folder in folders for path in (ROOT / folder).glob("*.py")}
    own |= {"docs", "napari_clip_heatmap", "tests", "training"}
    return {name: path for name, path in found.items() if name not in sys.stdlib_module_names | own}


def distributions(modules: dict[str, str]) -> dict[str, set[str]]:
    """The installed distributions that bring each module."""
    known = packages_distributions()
    return {name: {canonical(each) for each in known.get(name, [name])} for name in modules}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A wheel built from the tree, and one built from the source archive."""
    folder = tmp_path_factory.mktemp("dist")
    build = (sys.executable, "-m", "build", "--no-isolation", "--outdir")
    run(*build, folder / "direct", "--wheel", ROOT)
    run(*build, folder / "through", ROOT)  # the source archive, then the wheel from it
    return {
        "wheel": next((folder / "direct").glob("*.whl")),
        "wheel from sdist": next((folder / "through").glob("*.whl")),
        "sdist": next((folder / "through").glob("*.tar.gz")),
    }


def test_this_environment_knows_the_plugin() -> None:
    found = discover()
    assert found["widgets"] == ["CLIP Heatmap", "Encoded images"]
    assert found["version"] == version(NAME)


@pytest.mark.parametrize("kind", ["wheel", "wheel from sdist"])
def test_a_built_wheel_is_discovered(built: dict[str, Path], kind: str, tmp_path: Path) -> None:
    install = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index")
    run(*install, "--target", tmp_path, built[kind])
    found = discover(tmp_path)
    assert Path(str(found["package"])).is_relative_to(tmp_path)
    assert found["widgets"] == ["CLIP Heatmap", "Encoded images"]
    assert found["samples"] == SAMPLES
    for name in ("py.typed", "prompting/sets/organelles.yaml"):
        assert (tmp_path / "napari_clip_heatmap" / name).is_file(), name
    assert built[kind].stat().st_size <= 15 * MEGABYTE


def test_the_source_archive_is_complete(built: dict[str, Path]) -> None:
    with tarfile.open(built["sdist"]) as archive:
        inside = {member.name.split("/", 1)[1]: member for member in archive.getmembers()}
    for name in (*TOP, "napari.yaml", ".ci/run", "tests/test_packaging.py"):
        assert inside[name].isfile(), name


def test_the_manifest_at_the_top_is_the_package_s() -> None:
    shown, used = ROOT / "napari.yaml", ROOT / "src/napari_clip_heatmap/napari.yaml"
    assert not shown.is_symlink(), "not every system can check out or unpack links"
    assert shown.read_bytes() == used.read_bytes(), f"copy {used} to {shown}"


def test_every_command_of_the_manifest_exists() -> None:
    manifest = PluginManifest.from_file(ROOT / "napari.yaml")
    for command in manifest.contributions.commands or ():
        module, _, attribute = str(command.python_name).partition(":")
        assert callable(getattr(importlib.import_module(module), attribute)), command.id


def test_the_version_stands_in_one_place() -> None:
    current = project()["version"]
    assert version(NAME) == current, "reinstall the package"
    others = [
        path.relative_to(ROOT)
        for path in ROOT.glob("src/**/*.py")
        if f'"{current}"' in path.read_text(encoding="utf-8")
    ]
    assert not others
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## {current}" in changelog
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == current


def test_every_declared_python_is_tested_on_every_system() -> None:
    declared = re.findall(r"Python :: (3\.\d+)", "\n".join(project()["classifiers"]))
    assert project()["requires-python"] == f">={declared[0]}"
    jobs = yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text(encoding="utf-8"))["jobs"]
    matrix = jobs["tests"]["strategy"]["matrix"]
    tested = set(itertools.product(matrix["system"], matrix["python"]))
    tested -= {(job["system"], job["python"]) for job in matrix["exclude"]}
    for job in (jobs["everything"], jobs["lowest"]):
        steps = [step["with"]["python-version"] for step in job["steps"] if "setup" in str(step)]
        tested |= {(job["runs-on"], python) for python in steps}
    systems = ("ubuntu-latest", "macos-latest", "windows-latest")
    assert set(itertools.product(systems, declared)) <= tested


def test_no_qt_in_the_base_and_no_upper_pins() -> None:
    table = project()
    for requirement in table["dependencies"]:
        assert not re.search(r"(?i)pyqt|pyside|\[|<|==|~=", requirement), requirement
    assert table["optional-dependencies"]["all"] == ["napari[all]"]
    assert "Framework :: napari" in table["classifiers"]


def test_every_imported_package_is_declared() -> None:
    declared = names(project()["dependencies"])
    modules = imported("src/napari_clip_heatmap")
    brought = distributions(modules)
    missing = {name: path for name, path in modules.items() if not brought[name] & declared}
    assert missing.keys() == OPTIONAL.keys(), missing
    extras = project()["optional-dependencies"].values()
    assert names(each for extra in extras for each in extra) >= set(OPTIONAL.values())


def test_every_declared_package_is_imported() -> None:
    brought = distributions(imported("src/napari_clip_heatmap"))
    assert names(project()["dependencies"]) - set().union(*brought.values()) == set()


def test_what_tests_import_or_run_is_declared() -> None:
    table = project()
    extra = names(table["optional-dependencies"]["test"])
    modules = imported("tests", "training", "benchmarks", "docs")
    brought = distributions(modules)
    declared = extra | names(table["dependencies"])
    assert {name: path for name, path in modules.items() if not brought[name] & declared} == {}
    programs = (
        (ROOT / ".ci/run").read_text(encoding="utf-8").replace("lint-imports", "import-linter")
    )
    run = {name for name in extra if name in programs} | {"build", "pip"}  # by this file
    run |= {"napari-ome-zarr", "pyarrow"}  # read what was written, through napari and pandas
    run |= {"matplotlib"}  # by an example of the documentation
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]
    assert extra - run - names(build["requires"]) - set().union(*brought.values()) == set()


def test_the_readme_has_the_two_commands() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert 'python -m pip install -e ".[all]" && clip-heatmap demo\n' in readme
    assert 'python -m pip install -e ".[all,test]" && python -m pytest\n' in readme


def test_the_readme_shows_pictures_by_full_address() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]*)\)", readme)
    assert pictures
    for address in pictures:
        name = re.fullmatch(r"https://raw\.githubusercontent\.com/[^/]+/[^/]+/main/(.+)", address)
        assert name, address
        assert (ROOT / name[1]).is_file(), f"{name[1]} is not in the tree"


def test_nothing_of_one_machine_is_in_the_tree() -> None:
    machine = re.compile(r"(?<![\w.])/(?:work|farm|root|home|Users)/\w|\bpy(?:pi|thonhosted)\.org")
    folders = ("src", "tests", "training", "benchmarks", "docs", ".ci", ".github")
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*")]
    written = {".py", ".md", ".toml", ".yaml", ".yml", ".json", ".cff", ""}
    found = [
        f"{path.relative_to(ROOT)}: {hit}"
        for path in (*paths, *ROOT.glob("*"))
        if path.is_file() and path.suffix in written and path.name != ".git"  # git's, in a worktree
        for hit in machine.findall(path.read_text(encoding="utf-8"))
    ]
    assert found == []
