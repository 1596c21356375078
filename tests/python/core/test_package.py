# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""What pip installs: its metadata, what the compiled parts ask of the machine, and what a build that can't be done says."""

import importlib.metadata
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

import trainmon
from trainmon import server

ROOT = pathlib.Path(__file__).resolve().parents[3]
CORE = pathlib.Path(sys.modules["trainmon._core"].__file__)
BACKEND = ROOT / "bindings/python/make"
SYSTEM = {"libc", "libm", "libpthread", "libdl", "librt", "ld-linux-x86-64", "ld-linux-aarch64"}
try:
    DISTRIBUTION = importlib.metadata.distribution("trainmon")
except importlib.metadata.PackageNotFoundError:
    DISTRIBUTION = None
installed = pytest.mark.skipif(DISTRIBUTION is None, reason="runs from the tree, nothing was installed")


def needed(path):
    """The libraries that a compiled file names, without their versions."""
    text = subprocess.run(["readelf", "-d", path], capture_output=True, text=True, check=True).stdout
    assert "RPATH" not in text and "RUNPATH" not in text
    return {name.split(".so")[0] for name in re.findall(r"NEEDED.*\[(.*)\]", text)}


@installed
def test_metadata_is_complete():
    data = DISTRIBUTION.metadata
    assert data["Version"] == trainmon.__version__
    assert (data["License-Expression"], data["Requires-Python"]) == ("MIT", ">=3.10")
    assert DISTRIBUTION.requires == ["cffi<3,>=1.17"]
    assert "import trainmon" in (data["Description"] or data.get_payload())
    licence = next(file for file in DISTRIBUTION.files if file.name == "LICENSE")
    assert licence.locate().read_text() == (ROOT / "LICENSE").read_text()
    assert "Tag: cp310-abi3-linux_" in DISTRIBUTION.read_text("WHEEL")


@pytest.mark.skipif(not shutil.which("readelf"), reason="needs binutils")
def test_what_the_compiled_parts_need():
    core, page = needed(CORE), needed(server.PROGRAM)
    assert core - SYSTEM == {"libsqlite3", "libcjson"}
    assert page - SYSTEM <= {"libsqlite3", "libcjson", "libwebsockets", "libz", "libcap", "libssl", "libcrypto"} and "libwebsockets" in page


@installed
def test_no_path_of_the_build_is_inside():
    for path in (CORE, server.PROGRAM):
        content = path.read_bytes()
        assert os.fsencode(ROOT) not in content
        assert b".debug_info" not in content


def test_a_missing_library_is_named_with_its_package(monkeypatch, tmp_path):
    """A copy of the program that asks for a library which nobody has: the name of libwebsockets is changed in it, in the same length."""
    content = server.PROGRAM.read_bytes()
    name = re.search(rb"libwebsockets\.so\.\d+", content)[0]
    broken = tmp_path / "trainmon-dashboard"
    broken.write_bytes(content.replace(name, b"libwebsockets.so." + b"9" * (len(name) - len("libwebsockets.so."))))
    broken.chmod(0o755)
    monkeypatch.setattr(server, "PROGRAM", broken)
    with pytest.raises(FileNotFoundError, match=r"libwebsockets\.so\.9+.*apt-get install libwebsockets-dev"):
        server.serve([])
    run = trainmon.init(dashboard=True)  # tells it by a warning
    run.log({"loss": 1})
    run.finish()
    assert run.store.points(run.id, "loss")[0]["value"] == 1


def refusal(folder, **environment):
    """What the build backend of a folder says when it refuses to build."""
    program = "import backend; backend.require_all()"
    where = {"cwd": folder / "make", "env": {**os.environ, **environment}}
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True, **where)
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    return done.stderr


def test_a_build_says_at_once_all_that_is_missing(tmp_path):
    for program in ("cc", "pkg-config"):
        assert shutil.which(program), "the test needs what it takes away"
    assert "sudo apt-get install build-essential pkg-config " in refusal(ROOT / "bindings/python", PATH=str(tmp_path))
    said = refusal(ROOT / "bindings/python", PKG_CONFIG_LIBDIR=str(tmp_path), PKG_CONFIG_PATH="")
    assert said.strip().endswith("apt-get install libsqlite3-dev libcjson-dev libwebsockets-dev libcap-dev zlib1g-dev")


def test_a_copy_without_the_repository_is_refused(tmp_path):
    shutil.copytree(ROOT / "bindings/python/make", tmp_path / "bindings/python/make")
    assert "Clone the whole repository" in refusal(tmp_path / "bindings/python")


def test_an_old_python_is_told_so():
    old = shutil.which("python3.9")
    if not old or subprocess.run([old, "-c", ""], check=False, capture_output=True).returncode:
        pytest.skip("there is no Python 3.9")
    done = subprocess.run([old, "-c", "import backend; backend.require_all()"], check=False, cwd=BACKEND, capture_output=True, text=True)
    assert done.stderr.startswith("trainmon: it needs Python 3.10 or later, this is 3.9.")
