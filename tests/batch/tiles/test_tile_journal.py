from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest

from napari_clip_heatmap.batch.tiles.tile_journal import JournalTile, TileJournal
from napari_clip_heatmap.imaging.validity import Validity

SHAPE = (100, 120)


def tile(row: int, column: int) -> JournalTile:
    generator = np.random.default_rng(100 * row + column)
    arrays = [generator.random(shape, np.float32) for shape in ((4, 4, 8), (8,), (4, 4, 3))]
    validity = Validity(SHAPE)
    valid = np.ones((10, 12), bool)
    valid[row, column] = False
    validity.note((50, 60), slice(0, 10), slice(0, 12), valid)
    return JournalTile((row, column), *arrays, arrays[-1] + 1, validity.holes)


def same(left: JournalTile, right: JournalTile) -> bool:
    arrays = ("tokens", "embedding", "low", "high")
    holes = [
        np.array_equal(a.valid(), b.valid()) for a, b in zip(left.holes, right.holes, strict=True)
    ]
    return (
        left.tile == right.tile
        and all(holes)
        and len(holes) == 1
        and all(np.array_equal(getattr(left, name), getattr(right, name)) for name in arrays)
    )


def test_what_is_written_is_read_row_by_row(tmp_path: Path) -> None:
    written = [tile(2, 1), tile(0, 3), tile(1, 0)]
    journal = TileJournal(tmp_path / "plane", SHAPE)
    for each in written:
        journal.append(each)
    index = TileJournal(tmp_path / "plane", SHAPE).index()
    read = list(journal.read(index))
    assert [each.tile for each in read] == [(0, 3), (1, 0), (2, 1)]
    for each in read:
        assert same(each, tile(*each.tile))
    journal.remove()
    assert not (tmp_path / "plane").exists()


@pytest.mark.parametrize("cut", [1, 10, 200])
def test_a_torn_end_is_left_out_and_overwritten(cut: int, tmp_path: Path) -> None:
    journal = TileJournal(tmp_path, SHAPE)
    journal.append(tile(0, 0))
    journal.append(tile(0, 1))
    (file,) = tmp_path.glob("*.tiles")
    file.write_bytes(file.read_bytes()[:-cut])
    after = TileJournal(tmp_path, SHAPE)
    assert list(after.index()) == [(0, 0)]
    after.append(tile(0, 2))
    assert [each.tile for each in after.read(after.index())] == [(0, 0), (0, 2)]


def test_a_changed_byte_is_found(tmp_path: Path) -> None:
    journal = TileJournal(tmp_path, SHAPE)
    journal.append(tile(0, 0))
    (file,) = tmp_path.glob("*.tiles")
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    assert journal.index() == {}


def test_several_processes_write_one_plane(tmp_path: Path) -> None:
    first, second = TileJournal(tmp_path, SHAPE), TileJournal(tmp_path, SHAPE)
    second._file = tmp_path / "another-host-1.tiles"
    first.append(tile(0, 0))
    second.append(tile(0, 1))
    second.append(tile(0, 0))
    index = first.index()
    assert sorted(index) == [(0, 0), (0, 1)]
    assert [each.tile for each in first.read(index)] == [(0, 0), (0, 1)], "each counts once"


def test_asking_again_reads_what_is_new_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal, other = TileJournal(tmp_path, SHAPE), TileJournal(tmp_path, SHAPE)
    other._file = tmp_path / "another-host-1.tiles"
    journal.append(tile(0, 0))
    other.append(tile(0, 1))
    assert sorted(journal.index()) == [(0, 0), (0, 1)]
    read = []
    crc32 = zlib.crc32
    monkeypatch.setattr(zlib, "crc32", lambda body: read.append(len(body)) or crc32(body))
    other.append(tile(0, 2))
    read.clear()
    assert sorted(journal.index()) == [(0, 0), (0, 1), (0, 2)]
    assert len(read) == 1
    assert journal.index() == TileJournal(tmp_path, SHAPE).index()


def test_a_torn_entry_is_seen_once_it_is_whole(tmp_path: Path) -> None:
    journal = TileJournal(tmp_path, SHAPE)
    journal.append(tile(0, 0))
    journal.append(tile(0, 1))
    (file,) = tmp_path.glob("*.tiles")
    whole = file.read_bytes()
    file.write_bytes(whole[:-5])
    reader = TileJournal(tmp_path, SHAPE)
    assert list(reader.index()) == [(0, 0)]
    file.write_bytes(whole)
    assert list(reader.index()) == [(0, 0), (0, 1)]


def test_a_file_that_was_begun_again_is_read_from_its_start(tmp_path: Path) -> None:
    journal = TileJournal(tmp_path, SHAPE)
    journal.append(tile(0, 0))
    journal.append(tile(0, 1))
    reader = TileJournal(tmp_path, SHAPE)
    assert len(reader.index()) == 2
    journal.remove()
    assert reader.index() == {}
    journal.append(tile(3, 3))
    assert list(reader.index()) == [(3, 3)]
