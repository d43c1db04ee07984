"""A Dask scheduler: its address, who is behind it, and whether that is trusted.

Dask sends Python objects. Whoever runs a scheduler, or can reach one that is open, can run programs
on its workers and on all machines that connect to it. So this package connects by itself to
schedulers on this machine, and to those that prove with a certificate who they are; to others only
where the user has said that they are trusted.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from napari_clip_heatmap.errors import DeviceError, shorten

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["Scheduler", "Tls", "connect", "is_scheduler"]

_SCHEMES = ("tcp", "tls", "ws", "wss", "ucx", "ucxs")
_SECURE = ("tls", "wss", "ucxs")
_TIMEOUT = 20
"""Seconds that a scheduler has to answer."""

TRUSTED_KEY = "clip-heatmap.trusted-schedulers"
"""Of Dask's own configuration: addresses of schedulers that are trusted without a certificate."""


@dataclass(frozen=True)
class Tls:
    """Files that make the connection to a scheduler private and both sides known.

    Parameters
    ----------
    ca, cert, key : str
        Paths of PEM files, as `distributed.Security` takes them.

    Examples
    --------
    >>> nch.Tls("ca.pem", "me.pem", "me.key").ca
    'ca.pem'
    """

    ca: str
    cert: str
    key: str


@dataclass(frozen=True)
class Scheduler:
    """A scheduler whose workers run a model, as the `device` of `load_model`.

    Parameters
    ----------
    address : str
        Such as ``tcp://host:8786``, or ``tls://host:8786`` with certificates.
    tls : Tls, optional
        Certificates; by default those of Dask's configuration (``distributed.comm.tls``).
    trusted : bool
        Whether a scheduler on another machine is trusted without a certificate. Whoever controls
        it can run programs on this machine.

    Examples
    --------
    >>> nch.Scheduler("tcp://127.0.0.1:8786").is_trusted
    True
    >>> nch.Scheduler("tcp://gpu.example.org:8786").is_trusted
    False
    """

    address: str
    tls: Tls | None = None
    trusted: bool = False

    @property
    def is_trusted(self) -> bool:
        """Whether it is on this machine, proves who it is, or the user said that it is trusted."""
        import dask

        parts = urlsplit(self.address)
        known = dask.config.get(TRUSTED_KEY, ())
        listed = self.address in ([known] if isinstance(known, str) else known)
        return parts.scheme in _SECURE or self.trusted or listed or _is_here(parts.hostname or "")


def is_scheduler(device: object) -> bool:
    """Return whether the name of a device is the address of a scheduler.

    Examples
    --------
    >>> is_scheduler("tcp://host:8786"), is_scheduler("cuda:1")
    (True, False)
    """
    return isinstance(device, Scheduler) or (
        isinstance(device, str) and device.partition("://")[0] in _SCHEMES and "://" in device
    )


def connect(scheduler: Scheduler, **options: Any) -> Client:
    """Connect to a scheduler that has workers.

    Parameters
    ----------
    scheduler : Scheduler
        Trusted by the caller: see `Scheduler.is_trusted`.
    **options
        Handed on to `distributed.Client`.

    Raises
    ------
    DeviceError
        None answers at the address, it does not accept the certificates, or it has no workers.

    Examples
    --------
    >>> client = connect(Scheduler("tcp://127.0.0.1:8786"))  # doctest: +SKIP
    """
    from distributed import Client
    from distributed.security import Security

    security, tls = None, scheduler.tls
    if tls is not None:
        security = Security(
            tls_ca_file=tls.ca,
            tls_client_cert=tls.cert,
            tls_client_key=tls.key,
            require_encryption=True,
        )
    shown = shorten(scheduler.address)
    try:
        client = Client(scheduler.address, security=security, timeout=_TIMEOUT, **options)
    except (OSError, TimeoutError, ValueError, TypeError, RuntimeError) as error:
        raise DeviceError(
            f"no Dask scheduler answers at '{shown}' ({shorten(error)}); start one with "
            "`dask scheduler`, and give its address, such as tcp://host:8786"
        ) from error
    if not client.nthreads():
        client.close()
        raise DeviceError(
            f"the scheduler at '{shown}' has no workers; start some with `dask worker {shown} "
            "--nthreads 1`"
        )
    return client


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
