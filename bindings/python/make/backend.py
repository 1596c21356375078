# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""The build backend: says in one message what the machine lacks, then leaves the work to scikit-build-core.

It is read by Pythons that are too old for the package too, to tell them so.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PROGRAMS = {"cc": "build-essential", "pkg-config": "pkg-config"}
LIBRARIES = {
    "sqlite3": "libsqlite3-dev",
    "libcjson": "libcjson-dev",
    "libwebsockets": "libwebsockets-dev",
    "libcap": "libcap-dev",
    "zlib": "zlib1g-dev",
}


def missing_packages() -> list[str]:
    """Gives the Debian packages of what is needed to build and is not there."""
    missing = [package for program, package in PROGRAMS.items() if shutil.which(program) is None]
    if not Path(sysconfig.get_path("include"), "Python.h").is_file():
        missing.append("python3-dev")
    if shutil.which("pkg-config") is None:
        return missing + list(LIBRARIES.values())
    for library, package in LIBRARIES.items():
        if subprocess.run(["pkg-config", "--exists", library], check=False).returncode:
            missing.append(package)
    return missing


def require_all() -> None:
    """Ends the build with one clear message when it can't be done here."""
    if not sys.platform.startswith("linux"):
        sys.exit(f"trainmon: it runs on Linux only, this is {sys.platform}")
    if sys.version_info < (3, 10):  # noqa: UP036 (before pip looks at requires-python)
        sys.exit(f"trainmon: it needs Python 3.10 or later, this is {sys.version.split()[0]} ({sys.executable})")
    if not Path(ROOT, "include", "trainmon", "version.h").is_file():
        sys.exit(f"trainmon: {Path(__file__).resolve().parents[1]} was taken out of the repository of libtrainmon, whose C sources it needs.\n"
                 "Clone the whole repository, then:  pip install ./bindings/python  (pip before 21.3 copies the folder away: upgrade it)")
    missing = missing_packages()
    if missing:
        sys.exit(f"trainmon: packages are missing that building it needs. On Debian and Ubuntu:\n  sudo apt-get install {' '.join(missing)}")


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    """PEP 517."""
    require_all()
    from scikit_build_core import build as scikit

    return scikit.build_wheel(wheel_directory, config_settings, metadata_directory)


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    """PEP 660."""
    require_all()
    from scikit_build_core import build as scikit

    return scikit.build_editable(wheel_directory, config_settings, metadata_directory)


def get_requires_for_build_wheel(config_settings=None):
    """PEP 517."""
    require_all()
    from scikit_build_core import build as scikit

    return scikit.get_requires_for_build_wheel(config_settings)


def get_requires_for_build_editable(config_settings=None):
    """PEP 660."""
    require_all()
    from scikit_build_core import build as scikit

    return scikit.get_requires_for_build_editable(config_settings)


def build_sdist(sdist_directory, config_settings=None):
    """PEP 517; the C sources lie outside this folder."""
    sys.exit("trainmon: there is no source distribution; build a wheel from the repository:  pip wheel ./bindings/python")
