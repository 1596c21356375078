# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Checks of the doctor: versions, frameworks, GPUs, memory, the environment."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import subprocess
import sys

from trainmon._core import ffi, lib
from trainmon._native import json_call
from trainmon.cli.doctor import REINSTALL, Check
from trainmon.cli.terminal import size_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

FRAMEWORKS = ("torch", "lightning", "pytorch-lightning", "transformers", "ultralytics", "keras", "tensorflow", "jax", "tensorboard", "wandb",
              "mlflow", "numpy", "pandas")
MALWARE = {"lightning": ("2.6.2", "2.6.3"), "pytorch-lightning": ("2.6.2", "2.6.3")}  # releases that somebody else put on the package index
LITTLE_MEMORY = 1 << 30
LITTLE_SHARED = 64 << 20  # what a container has when nobody asked for more
NO_SHARED = 8 << 20  # a ring takes 4 MiB
ASK_TORCH = """
import json, torch
print(json.dumps({"available": torch.cuda.is_available(), "count": torch.cuda.device_count(), "cuda": torch.version.cuda, "hip": torch.version.hip,
                  "names": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]}))
"""


def versions(_options: Any) -> Iterator[Check]:
    """The package, the library in it, Python."""
    own = ffi.string(lib.tmon_version()).decode()
    text = f"trainmon {own}, Python {platform.python_version()}, {platform.system()} {platform.release()} {platform.machine()}"
    try:
        installed = importlib.metadata.version("trainmon")
    except importlib.metadata.PackageNotFoundError:
        installed = own  # used from its tree
    if installed != own:
        yield Check("version", "warn", f"{text}, but the package is {installed}", REINSTALL, version=own)
    else:
        yield Check("version", "ok", text, version=own, python=platform.python_version())


def frameworks(_options: Any) -> Iterator[Check]:
    """Which are installed; none is imported."""
    found = {}
    for name in FRAMEWORKS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    bad = [f"{name} {version}" for name, version in found.items() if version in MALWARE.get(name, ())]
    if bad:
        yield Check("frameworks", "fail", f"{', '.join(bad)} is malware: it steals credentials",
                    f"pip uninstall {bad[0].split()[0]}, then install another release\nchange every password, token and key that this machine knows",
                    versions=found)
    else:
        yield Check("frameworks", "ok", ", ".join(f"{name} {version}" for name, version in found.items()) or "none installed", versions=found)


def gpu(options: Any) -> Iterator[Check]:
    """What the driver says, and with --torch what PyTorch does."""
    gpus = json_call(lib.tmon_hardware_json, ffi.NULL)["gpus"]
    torch = _version("torch")
    card = os.path.exists("/dev/nvidiactl") or os.path.exists("/dev/kfd") or os.path.exists("/proc/driver/nvidia/version")
    if gpus:
        names = ", ".join(f"{one['name']}{size_text(one)}" for one in gpus)
        if torch and torch.endswith("+cpu"):
            yield Check("GPU", "warn", f"{names}; but torch {torch} is built for the CPU only",
                        "install torch with CUDA: https://pytorch.org/get-started", gpus=gpus)
        else:
            yield Check("GPU", "ok", names, gpus=gpus)
    elif card:
        yield Check("GPU", "warn", "there is a card, but its driver says nothing",
                    "nvidia-smi or rocm-smi should list it\n- in a container: docker run --gpus all", gpus=[])
    else:
        yield Check("GPU", "ok", "none: its figures are left out", gpus=[])
    if options.torch:
        yield _ask_torch(torch, bool(gpus))


def size_text(one: dict[str, Any]) -> str:
    """Gives how much memory a GPU has, "" when it does not say."""
    total = one.get("memory_total_bytes")
    return f" ({size_of(total)})" if total else ""


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _ask_torch(torch: str | None, has_gpu: bool) -> Check:
    if torch is None:
        return Check("torch", "warn", "torch is not installed", "pip install torch")
    try:
        done = subprocess.run([sys.executable, "-c", ASK_TORCH], capture_output=True, text=True, timeout=120, check=True)
        said = json.loads(done.stdout.splitlines()[-1])
    except subprocess.CalledProcessError as error:
        return Check("torch", "fail", f"torch {torch} can't be imported: {(error.stderr.strip().splitlines() or ['it said nothing'])[-1]}",
                     "pip install --force-reinstall torch")
    except (subprocess.TimeoutExpired, ValueError, IndexError):
        return Check("torch", "fail", f"torch {torch} did not answer within 2 minutes", 'python -c "import torch; torch.cuda.is_available()" tells more')
    if said["available"]:
        return Check("torch", "ok", f"torch {torch}: {said['count']} GPU ({', '.join(said['names'])})", **said)
    if has_gpu:
        return Check("torch", "warn", f"torch {torch} finds no GPU (built for CUDA {said['cuda'] or 'none'})",
                     "CUDA_VISIBLE_DEVICES may hide it, or the driver is older than torch needs: nvidia-smi tells its version", **said)
    return Check("torch", "ok", f"torch {torch}, no GPU", **said)


def memory(_options: Any) -> Iterator[Check]:
    """Memory, and the shared memory that rings lie in."""
    machine = json_call(lib.tmon_hardware_json, ffi.NULL)["machine"]
    total, free = machine.get("memory_total_bytes"), machine.get("memory_free_bytes")
    if total and free is not None:
        few = free < LITTLE_MEMORY
        yield Check("memory", "warn" if few else "ok", f"{size_of(free)} of {size_of(total)} free",
                    "trainings may be killed when it runs out: end other programs, or take smaller batches and fewer workers", free=free, total=total)
    try:
        shared = os.statvfs("/dev/shm")
    except OSError as error:
        yield Check("/dev/shm", "warn", f"can't be used: {error.strerror}", "rings lie in the store instead, which is slower; mount a tmpfs there")
        return
    total, free = shared.f_blocks * shared.f_frsize, shared.f_bavail * shared.f_frsize
    found = f"{size_of(free)} of {size_of(total)} free"
    advice = "in a container: docker run --shm-size=1g (or --ipc=host); workers of data loaders need it too"
    if not os.access("/dev/shm", os.W_OK):
        yield Check("/dev/shm", "warn", "this user can't write it", "rings lie in the store instead, which is slower: chmod 1777 /dev/shm")
    elif free < NO_SHARED:
        yield Check("/dev/shm", "warn", f"{found}: no room for a ring, which takes 4 MiB", f"rings lie in the store instead, which is slower\n{advice}",
                    free=free, total=total)
    else:
        yield Check("/dev/shm", "warn" if total <= LITTLE_SHARED else "ok", found, advice, free=free, total=total)


def environment(_options: Any) -> Iterator[Check]:
    """Variables that change what trainmon does."""
    found = {name: value for name, value in os.environ.items() if name.startswith(("TRAINMON_", "MONITORING_", "WS_")) and "TOKEN" not in name}
    text = ", ".join(f"{name}={value}" for name, value in sorted(found.items())) or "no variables are set"
    proxy = next((name for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY") if os.environ.get(name)), None)
    spared = os.environ.get("no_proxy", "") + os.environ.get("NO_PROXY", "")
    if os.environ.get("TRAINMON_MODE") == "disabled":
        yield Check("environment", "warn", "TRAINMON_MODE=disabled: trainings are not recorded", "unset TRAINMON_MODE", variables=found)
    elif proxy and "localhost" not in spared and "127." not in spared and "*" not in spared:
        yield Check("environment", "warn", f"{text}; {proxy} is set", "a proxy may stand between the browser and the page: export no_proxy=localhost,127.0.0.1",
                    variables=found)
    else:
        yield Check("environment", "ok", text, variables=found)


CHECKS = (versions, frameworks, gpu, memory, environment)
