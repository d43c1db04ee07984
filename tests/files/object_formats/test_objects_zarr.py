"""Labels beside images that others wrote, read back by others' readers."""

from __future__ import annotations

import numpy as np
import pytest
import yaozarrs
import zarr

import napari_clip_heatmap as nch
from napari_clip_heatmap.errors import OutputError

MICROMETER = {"type": "space", "unit": "micrometer"}
CHANNEL = {"name": "c", "type": "channel"}


def write_image(path, version="0.5", leading=(), axes=(), levels=3, *, shape=(90, 70)):
    """Write an OME-Zarr image as the specification asks for, with axes before y and x."""
    group = zarr.create_group(path, zarr_format=3 if version == "0.5" else 2)
    datasets = []
    for level in range(levels):
        small = tuple(-(-length // 2**level) for length in shape)
        data = np.random.default_rng(level).integers(0, 255, (*leading, *small), np.uint16)
        names = [*(axis["name"] for axis in axes), "y", "x"] if version == "0.5" else None
        group.create_array(str(level), data=data, dimension_names=names)
        scale = [*([1.0] * len(leading)), 0.5 * 2**level, 0.25 * 2**level]
        offset = [0.0] * len(leading) + [7.0, 8.0]
        datasets.append(
            {
                "path": str(level),
                "coordinateTransformations": [
                    {"type": "scale", "scale": scale},
                    {"type": "translation", "translation": offset},
                ],
            }
        )
    axes = [*axes, {"name": "y", **MICROMETER}, {"name": "x", **MICROMETER}]
    multiscale = {"name": "image", "axes": axes, "datasets": datasets}
    if version == "0.5":
        group.attrs["ome"] = {"version": version, "multiscales": [multiscale]}
    else:
        group.attrs["multiscales"] = [{**multiscale, "version": version}]
    return path


def level(path, name, number=0):
    return zarr.open_array(path / "labels" / name / str(number), mode="r")[...]


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_labels_lie_beside_the_image_one_image_for_each_prompt(tmp_path, objects, labels, version):
    path = write_image(tmp_path / "a.ome.zarr", version)
    nch.write_objects(path, objects, source="slide.tif")
    for name, numbers in (("red - rbc", [1, 3]), ("nuclei", [2, 4])):
        own = np.where(np.isin(labels, numbers), labels, 0)
        np.testing.assert_array_equal(level(path, name), own)
        assert level(path, name).dtype == np.int32
        for number in (1, 2):
            step = 2**number
            shape = zarr.open_array(path / str(number)).shape
            small = level(path, name, number)
            assert small.shape == shape
            assert set(np.unique(small)) <= set(np.unique(level(path, name)))
            middle = level(path, name)[step // 2 :: step, step // 2 :: step]
            near = tuple(slice(0, n) for n in middle.shape)
            assert np.mean(small[near] == middle) > 0.9
    yaozarrs.validate_zarr_store(str(path))


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_the_metadata_is_that_of_the_specification(tmp_path, objects, version):
    path = write_image(tmp_path / "a.ome.zarr", version)
    nch.write_objects(path, objects, source="slide.tif")
    attributes = zarr.open_group(path / "labels" / "nuclei", mode="r").attrs.asdict()
    assert attributes["clip_heatmap"]["source"] == "slide.tif"
    inner = attributes.get("ome", attributes)
    about = inner["image-label"]
    assert about["source"] == {"image": "../../"}
    assert [each["label-value"] for each in about["colors"]] == [2, 4]
    assert all(len(each["rgba"]) == 4 for each in about["colors"])
    assert [each["area"] for each in about["properties"]] == [700, 200]
    assert "mean" not in about["properties"][0]
    image = zarr.open_group(path, mode="r").attrs.asdict()
    theirs = image.get("ome", image)["multiscales"][0]["datasets"]
    assert inner["multiscales"][0]["datasets"] == theirs
    listing = zarr.open_group(path / "labels", mode="r").attrs.asdict()
    assert listing.get("ome", listing)["labels"] == ["red - rbc", "nuclei"]


def test_channels_are_left_out_and_single_planes_stay(tmp_path, objects, labels):
    axes = [{"name": "t", "type": "time"}, CHANNEL, {"name": "z", **MICROMETER}]
    path = write_image(tmp_path / "a.ome.zarr", leading=(1, 3, 1), axes=axes)
    nch.write_objects(path, objects)
    assert level(path, "nuclei").shape == (1, 1, 90, 70)
    np.testing.assert_array_equal(
        level(path, "nuclei")[0, 0], np.where(np.isin(labels, [2, 4]), labels, 0)
    )
    multiscale = zarr.open_group(path / "labels" / "nuclei").attrs["ome"]["multiscales"][0]
    assert [axis["name"] for axis in multiscale["axes"]] == ["t", "z", "y", "x"]
    scale = multiscale["datasets"][0]["coordinateTransformations"][0]["scale"]
    assert scale == [1.0, 1.0, 0.5, 0.25]


def test_a_stack_lies_beside_a_stack(tmp_path, make):
    stack = np.random.default_rng(0).integers(0, 5, (4, 90, 70)).astype(np.int32)
    path = write_image(tmp_path / "a.ome.zarr", leading=(4,), axes=[{"name": "z", **MICROMETER}])
    nch.write_objects(path, make(stack, ["cells"]))
    np.testing.assert_array_equal(level(path, "cells"), stack)
    assert level(path, "cells", 2).shape == (4, 23, 18)


def test_the_image_and_other_labels_stay_as_they_are(tmp_path, objects):
    path = write_image(tmp_path / "a.ome.zarr")
    group = zarr.open_group(path)
    theirs = group.create_group("labels/cells")
    theirs.create_array("0", data=np.arange(6300, dtype=np.int32).reshape(90, 70))
    group["labels"].attrs["ome"] = {"version": "0.5", "labels": ["cells"]}
    before = {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}
    nch.write_objects(path, objects)
    listing = path / "labels" / "zarr.json"
    for file, content in before.items():
        if file != listing:
            assert file.read_bytes() == content
    assert zarr.open_group(path)["labels"].attrs["ome"]["labels"] == [
        *("cells", "red - rbc", "nuclei")
    ]


def test_someone_elses_labels_are_replaced_only_on_demand(tmp_path, objects, labels):
    path = write_image(tmp_path / "a.ome.zarr")
    theirs = zarr.open_group(path).create_group("labels/nuclei")
    theirs.create_array("0", data=np.full((90, 70), 7, np.int32))
    with pytest.raises(OutputError, match="labels named nuclei already; give overwrite=True"):
        nch.write_objects(path, objects)
    assert (level(path, "nuclei") == 7).all()
    assert not (path / "labels" / "red - rbc").exists(), "nothing is written by half"
    nch.write_objects(path, objects, overwrite=True)
    assert set(np.unique(level(path, "nuclei"))) == {0, 2, 4}


@pytest.mark.filterwarnings("ignore:Consolidated metadata")
@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_consolidated_metadata_are_renewed(version, tmp_path, objects):
    path = write_image(tmp_path / "a.ome.zarr", version)
    zarr.consolidate_metadata(path)
    nch.write_objects(path, objects)
    group = zarr.open_consolidated(path, mode="r")
    assert "labels/nuclei/0" in group


def test_where_there_is_no_image_labels_stand_alone(tmp_path, objects, labels):
    path = nch.write_objects(tmp_path / "a.ome.zarr", objects)
    np.testing.assert_array_equal(
        level(path, "red - rbc"), np.where(np.isin(labels, [1, 3]), labels, 0)
    )
    multiscale = zarr.open_group(path / "labels" / "nuclei").attrs["ome"]["multiscales"][0]
    assert [axis["unit"] for axis in multiscale["axes"]] == ["micrometer", "micrometer"]
    assert multiscale["datasets"][0]["coordinateTransformations"][0]["scale"] == [0.5, 0.25]
    yaozarrs.validate_zarr_store(str(path / "labels" / "nuclei"))


def test_no_objects_are_empty_labels(tmp_path, nothing):
    path = nch.write_objects(write_image(tmp_path / "a.ome.zarr"), nothing)
    assert not level(path, "nuclei").any()
    yaozarrs.validate_zarr_store(str(path))


@pytest.mark.parametrize("kind", ["file", "folder", "array", "group", "plate"])
def test_what_is_no_image_is_left_alone(tmp_path, objects, kind):
    path = tmp_path / "a.ome.zarr"
    if kind == "file":
        path.write_text("x")
    elif kind == "folder":
        path.mkdir()
        (path / "notes.txt").write_text("x")
    elif kind == "array":
        zarr.create_array(path, data=np.ones((90, 70)))
    elif kind == "group":
        zarr.create_group(path).attrs["mine"] = 1
    else:
        zarr.create_group(path).attrs["ome"] = {"version": "0.5", "plate": {}}
    before = sorted(file for file in tmp_path.rglob("*"))
    with pytest.raises(OutputError, match="no OME-Zarr image"):
        nch.write_objects(path, objects, overwrite=True)
    assert sorted(file for file in tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"shape": (90, 71)}, r"\(90, 70\).*\(90, 71\)"),
        ({"leading": (2,), "axes": [{"name": "z", **MICROMETER}]}, r"\(2, 90, 70\)"),
        ({"version": "0.3"}, r"version 0\.3.*0\.4 and 0\.5"),
    ],
)
def test_an_image_that_the_labels_do_not_fit_is_refused(tmp_path, objects, settings, words):
    path = write_image(tmp_path / "a.ome.zarr", **settings)
    with pytest.raises(OutputError, match=words):
        nch.write_objects(path, objects)
    assert not (path / "labels").exists()


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_napari_shows_them_on_the_image(tmp_path, objects, version):
    reader = pytest.importorskip("napari_ome_zarr")
    path = write_image(tmp_path / "a.ome.zarr", version)
    nch.write_objects(path, objects)
    layers = reader.napari_get_reader(str(path))(str(path))
    shown = {
        meta["name"].rpartition("/")[2]: (data, meta)
        for data, meta, kind in layers
        if kind == "labels"
    }
    assert sorted(shown) == ["nuclei", "red - rbc"]
    data, meta = shown["nuclei"]
    np.testing.assert_array_equal(np.asarray(data[0]), level(path, "nuclei"))
    assert list(meta["scale"]) == [0.5, 0.25]
