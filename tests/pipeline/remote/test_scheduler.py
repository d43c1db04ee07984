from __future__ import annotations

import socket

import dask
import pytest

from napari_clip_heatmap.errors import DeviceError
from napari_clip_heatmap.pipeline.remote import scheduler as module
from napari_clip_heatmap.pipeline.remote.scheduler import Scheduler, Tls, connect, is_scheduler

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        ("tcp://host:8786", True),
        ("tls://host:8786", True),
        (Scheduler("tcp://host:8786"), True),
        ("auto", False),
        ("cuda:1", False),
        ("http://host", False),
        (None, False),
    ],
)
def test_addresses_are_told_from_devices(device: object, expected: bool) -> None:
    assert is_scheduler(device) is expected


@pytest.mark.parametrize(
    ("scheduler", "trusted"),
    [
        (Scheduler("tcp://127.0.0.1:8786"), True),
        (Scheduler("tcp://[::1]:8786"), True),
        (Scheduler("tcp://localhost:8786"), True),
        (Scheduler("tcp://10.0.0.7:8786"), False),
        (Scheduler("tcp://127.0.0.1.example.org:8786"), False),
        (Scheduler("tcp://localhost.example.org:8786"), False),
        (Scheduler("tcp://gpu:8786"), False),
        (Scheduler("tcp://gpu:8786", trusted=True), True),
        (Scheduler("tls://gpu:8786"), True),
        (Scheduler("ws://gpu:8786"), False),
    ],
)
def test_only_who_is_known_is_trusted(scheduler: Scheduler, trusted: bool) -> None:
    assert scheduler.is_trusted is trusted


@pytest.mark.parametrize("listed", ["tcp://gpu:8786", ["tcp://other:1", "tcp://gpu:8786"]])
def test_a_user_may_list_schedulers_in_the_configuration_of_dask(listed: object) -> None:
    with dask.config.set({module.TRUSTED_KEY: listed}):
        assert Scheduler("tcp://gpu:8786").is_trusted
        assert not Scheduler("tcp://gpu:8787").is_trusted


def test_where_nothing_answers_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TIMEOUT", 0.5)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(DeviceError, match="dask scheduler"):
        connect(Scheduler(f"tcp://127.0.0.1:{port}"))


def test_certificates_reach_dask(monkeypatch: pytest.MonkeyPatch) -> None:
    import distributed

    given = {}

    class Client:
        def __init__(self, address: str, **options: object) -> None:
            given.update(options, address=address)

        def nthreads(self) -> dict[str, int]:
            return {"a worker": 1}

    monkeypatch.setattr(distributed, "Client", Client)
    connect(Scheduler("tls://gpu:8786", Tls("ca.pem", "me.pem", "me.key")), set_as_default=False)
    security = given["security"]
    assert security.require_encryption is True
    assert security.tls_ca_file == "ca.pem"
    assert (security.tls_client_cert, security.tls_client_key) == ("me.pem", "me.key")
    assert given["set_as_default"] is False
