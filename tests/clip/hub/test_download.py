from __future__ import annotations

import errno
import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from napari_clip_heatmap.clip.hub import download as download
from napari_clip_heatmap.clip.hub.download import (
    Remote,
    WrongHashError,
    cached_file,
    download_file,
    look_up,
    set_current_version,
)
from napari_clip_heatmap.clip.hub.offline import FETCH_ERRORS, failure_reason
from napari_clip_heatmap.errors import Cancelled

CONTENT = bytes(range(256)) * 4096  # 1 MiB
REPOSITORY, NAME = "someone/tiny", "model.safetensors"


@pytest.fixture
def remote(hub: Any, monkeypatch: pytest.MonkeyPatch) -> Remote:
    hub.files[REPOSITORY, NAME] = CONTENT
    monkeypatch.setattr(download, "PIECE", 1 << 16)
    found = look_up(REPOSITORY, NAME)
    assert found is not None
    return found


def test_a_whole_download(hub: Any, remote: Remote) -> None:
    assert remote.size == len(CONTENT)
    assert cached_file(REPOSITORY, NAME) is None
    seen: list[int] = []
    path = download_file(remote, progress=seen.append)
    assert path.read_bytes() == CONTENT
    assert cached_file(REPOSITORY, NAME) is None, "not before all files of the version are here"
    set_current_version(remote)
    assert path == cached_file(REPOSITORY, NAME)
    assert seen == sorted(seen)
    assert seen[-1] == len(CONTENT)
    assert not remote.partial.exists()
    assert hub.gets() == [(NAME, None)]


def test_files_on_this_machine_are_not_downloaded_again(hub: Any, remote: Remote) -> None:
    assert download_file(remote) == download_file(remote)
    assert len(hub.gets()) == 1


def test_it_is_where_the_hub_s_own_client_looks(hub: Any, remote: Remote) -> None:
    from huggingface_hub import hf_hub_download

    path = download_file(remote)
    set_current_version(remote)
    assert hf_hub_download(REPOSITORY, NAME, local_files_only=True) == str(path)
    assert hf_hub_download(REPOSITORY, NAME) == str(path)
    assert len(hub.gets()) == 1


def test_a_system_without_links(hub: Any, remote: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, target: Path) -> None:
        raise OSError("A required privilege is not held by the client")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    path = download_file(remote)
    assert path.read_bytes() == CONTENT
    assert not remote.blob.exists(), "the bytes are there once"
    assert download_file(remote) == path
    assert len(hub.gets()) == 1


def test_a_cut_connection_goes_on(hub: Any, remote: Remote) -> None:
    hub.cut_after = 6 << 16
    assert download_file(remote).read_bytes() == CONTENT
    starts = [part for _, part in hub.gets()]
    assert starts[0] is None
    assert starts[1] == f"bytes={6 << 16}-"


def test_a_lost_connection_is_kept_and_resumed(hub: Any, remote: Remote) -> None:
    hub.cut_after = 4 << 16

    def lose(done: int) -> None:
        hub.status = 503

    with pytest.raises(FETCH_ERRORS) as caught:
        download_file(remote, progress=lose)
    assert "HTTP 503; try again later" in failure_reason(caught.value)
    assert remote.partial.read_bytes() == CONTENT[: 4 << 16]
    assert cached_file(REPOSITORY, NAME) is None
    hub.cut_after = hub.status = None
    assert download_file(remote).read_bytes() == CONTENT
    assert hub.gets()[-1] == (NAME, f"bytes={4 << 16}-")


def test_a_cancelled_download_is_kept_and_resumed(hub: Any, remote: Remote) -> None:
    seen: list[int] = []
    with pytest.raises(Cancelled, match="the received bytes are kept"):
        download_file(remote, progress=seen.append, cancelled=lambda: sum(seen) > 200_000)
    done = remote.partial.stat().st_size
    assert 0 < done == seen[-1] < len(CONTENT)
    assert download_file(remote).read_bytes() == CONTENT
    assert hub.gets()[-1] == (NAME, f"bytes={done}-")


def test_a_server_without_parts_starts_over(hub: Any, remote: Remote) -> None:
    remote.partial.parent.mkdir(parents=True)
    remote.partial.write_bytes(CONTENT[:1000])
    hub.ranges = False
    seen: list[int] = []
    assert download_file(remote, progress=seen.append).read_bytes() == CONTENT
    assert seen[-1] == len(CONTENT)


def test_a_partial_file_that_is_too_long_starts_over(hub: Any, remote: Remote) -> None:
    remote.partial.parent.mkdir(parents=True)
    remote.partial.write_bytes(CONTENT + b"more")
    assert download_file(remote).read_bytes() == CONTENT


@pytest.mark.parametrize("digits", [64, 40])
def test_another_hash_is_refused_and_deleted(hub: Any, remote: Remote, digits: int) -> None:
    hub.digest = "a" * digits
    wrong = look_up(REPOSITORY, NAME)
    assert wrong is not None
    with pytest.raises(
        WrongHashError, match=rf"have the hash \w+, but the hub lists {'a' * digits}"
    ) as caught:
        download_file(wrong)
    assert "they were deleted" in failure_reason(caught.value)
    assert not wrong.partial.exists()
    assert not wrong.blob.exists()
    assert cached_file(REPOSITORY, NAME) is None


def test_git_s_hash_of_a_small_file_is_checked(hub: Any) -> None:
    hub.files[REPOSITORY, "config.json"] = b"{}"
    hub.digest = hashlib.sha1(b"blob 2\0{}").hexdigest()
    found = look_up(REPOSITORY, "config.json")
    assert found is not None
    assert download_file(found).read_bytes() == b"{}"


def test_a_server_that_is_no_hub_is_refused(hub: Any) -> None:
    hub.files[REPOSITORY, NAME] = CONTENT
    hub.digest = "strong"
    with pytest.raises(FETCH_ERRORS, match="HF_ENDPOINT and the proxy"):
        look_up(REPOSITORY, NAME)


def test_no_such_file_and_no_such_repository(hub: Any, remote: Remote) -> None:
    assert look_up(REPOSITORY, "none.bin") is None
    with pytest.raises(FETCH_ERRORS) as caught:
        look_up("nobody/nothing", NAME)
    assert "no such repository, or it requires permission" in failure_reason(caught.value)


def test_a_full_disk_is_reported_before_and_during_a_download(
    remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Usage(NamedTuple):
        free: int

    with monkeypatch.context() as patch:
        patch.setattr(download.shutil, "disk_usage", lambda path: Usage(free=1000))
        with pytest.raises(OSError, match="1048576 bytes are missing and 1000 free") as caught:
            download_file(remote)
        assert failure_reason(caught.value).startswith(
            f"the disk is full ({remote.partial.parent})"
        )

    def full(self: object, piece: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(download._Sink, "write", full)
    with pytest.raises(OSError, match="No space left") as caught:
        download_file(remote)
    assert "set HF_HOME to a folder on another disk" in failure_reason(caught.value)


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_a_cache_that_cannot_be_written(
    remote: Remote, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(self: Path, *args: object, **options: object) -> None:
        raise OSError(number, "refused", str(self))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(OSError, match="refused") as caught:
        download_file(remote)
    assert f"{remote.partial.parent} cannot be written" in failure_reason(caught.value)
    assert "HF_HOME" in failure_reason(caught.value)
