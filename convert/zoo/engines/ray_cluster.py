"""The Ray cluster: joined where one runs, else started on this machine; and the machines that are up in it."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

from convert.zoo.engines.ray_messages import DriverOptions, Machine
from verify.errors import InfrastructureError

_LEAST_OBJECT_STORE_BYTES = 80 * 2**20
"""Ray wants that much; nothing of ours goes there."""

_KNOCK_SECONDS = 10.0

_QUIET: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}


def connect(options: DriverOptions, folder: Path) -> None:
    """Join the cluster at ``options.address``, or start one whose files lie in ``folder``.

    Raises ``InfrastructureError`` when none answers there.
    """
    if options.address is None:
        _start_local(options, folder)
    else:
        _join(options.address)


def machines() -> tuple[Machine, ...]:
    """Machines that are up and may run jobs; a head that was given no CPU is none.

    Raises ``InfrastructureError`` when the one we stand on is not: Ray goes on waiting for it.
    """
    import ray

    own = ray.get_runtime_context().get_node_id()
    nodes = [node for node in ray.nodes() if node["Alive"]]
    if own not in {node["NodeID"] for node in nodes}:
        raise InfrastructureError(
            "Ray has ended on this machine; jobs that had ended are kept",
            fix="start it again with ray start, then run the same command again",
        )
    resources = [node["Resources"] for node in nodes]
    return tuple(Machine(each["CPU"], each.get("memory", 0.0)) for each in resources if each.get("CPU", 0.0) >= 1.0)


def _start_local(options: DriverOptions, folder: Path) -> None:
    import ray

    ray.init(
        address="local",
        num_cpus=options.cores,
        _memory=options.memory_bytes,
        object_store_memory=_LEAST_OBJECT_STORE_BYTES,
        include_dashboard=False,
        _node_ip_address="127.0.0.1",
        _temp_dir=str(folder),
        # The wrapper holds each job to its own limit and says so; Ray's monitor would kill the worker around it.
        _system_config={"memory_monitor_refresh_ms": 0},
        **_QUIET,
    )


def _join(address: str) -> None:
    import ray

    try:
        _knock(address)
        ray.init(address=address, **_QUIET)
    except Exception as error:  # Ray raises its own, gRPC's and the socket's
        raise InfrastructureError(
            f"no Ray cluster answers at {address}: {error}",
            fix="start one with ray start --head, and run this on one of its machines; "
            "or leave --ray-address out to start one here",
        ) from error


def _knock(address: str) -> None:
    """Whether anything listens there: Ray itself tries for minutes. ``auto`` is Ray's to find out."""
    if address != "auto":
        host, _, port = address.rpartition(":")
        socket.create_connection((host, int(port)), timeout=_KNOCK_SECONDS).close()
