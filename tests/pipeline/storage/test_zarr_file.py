"""Arrays and a record on disk: what is read is what was written, or an error."""

from __future__ import annotations

import json

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from napari_clip_heatmap.errors import EncodingFileError, OutputError
from napari_clip_heatmap.pipeline.storage import zarr_file
from napari_clip_heatmap.pipeline.storage.zarr_file import (
    from_half,
    read_arrays,
    to_half,
    write_arrays,
)

plain = st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=5)
records = st.dictionaries(st.text(max_size=5), plain | st.lists(plain, max_size=3), max_size=4)
arrays = st.dictionaries(
    st.sampled_from(["tokens", "done", "low"]),
    npst.arrays(
        st.sampled_from(["f4", ">f4", "f2", "?", "u1", "i8"]).map(np.dtype),
        npst.array_shapes(max_dims=3, max_side=6),
    ),
    max_size=3,
)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records, arrays, st.sampled_from(["a.zarr", "a.zarr.zip"]))
def test_what_is_read_is_what_was_written(tmp_path, record, stored, name):
    path = tmp_path / name
    write_arrays(path, record, stored)
    got, back = read_arrays(path)
    assert got == record
    assert set(back) == set(stored)
    for key, array in stored.items():
        np.testing.assert_array_equal(back[key], array)
        assert back[key].dtype == array.dtype.newbyteorder("<")
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith(".")] == []


@pytest.mark.parametrize("name", ["a.zarr", "a.zarr.zip"])
def test_zarr_reads_arrays_of_several_chunks(tmp_path, monkeypatch, name):
    monkeypatch.setattr(zarr_file, "_CHUNK", 256)
    values = np.random.default_rng(0).standard_normal((7, 5, 4)).astype(np.float32)
    line = np.arange(100, dtype=np.int16)
    write_arrays(tmp_path / name, {"note": "µm"}, {"values": values, "line": line})
    zipped = name.endswith(".zip")
    store = zarr.storage.ZipStore if zipped else zarr.storage.LocalStore
    group = zarr.open_group(store(tmp_path / name, read_only=True), mode="r")
    assert group["values"].chunks == (3, 5, 4)
    assert group["values"].nchunks_initialized == 3
    np.testing.assert_array_equal(group["values"][...], values)
    np.testing.assert_array_equal(group["line"][...], line)
    assert group.attrs["clip_heatmap_encoding"]["record"] == {"note": "µm"}


def test_a_record_that_was_edited_is_noticed(tmp_path):
    write_arrays(tmp_path / "a.zarr", {"overlap": 0.5}, {"x": np.arange(3.0)})
    about = tmp_path / "a.zarr" / "zarr.json"
    content = json.loads(about.read_text())
    content["attributes"]["clip_heatmap_encoding"]["record"]["overlap"] = 0.25
    about.write_text(json.dumps(content))
    with pytest.raises(EncodingFileError, match="damaged"):
        read_arrays(tmp_path / "a.zarr")


def test_a_folder_of_something_else_is_kept(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").write_bytes(b"x")
    with pytest.raises(OutputError, match="not replaced"):
        write_arrays(tmp_path / "photos", {}, {})
    assert (tmp_path / "photos" / "a.png").exists()


def test_half_precision_keeps_contributions_of_any_size():
    tokens = np.random.default_rng(0).standard_normal((6, 7, 32)).astype(np.float32)
    for scale in (1e-6, 1.0, 1e6):
        half, exponent = to_half(tokens * np.float32(scale))
        assert half.dtype == np.float16
        np.testing.assert_allclose(from_half(half, exponent), tokens * scale, rtol=1e-3)
    zero, exponent = to_half(np.zeros((2, 2, 4), np.float32))
    assert not from_half(zero, exponent).any()
