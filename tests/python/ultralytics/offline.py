# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Makes Ultralytics usable without torchvision and without a network: import it before the framework. `python -m offline SCRIPT …` runs a script so.

The CPU build of torch has no torchvision that fits, and of it the framework needs the version and `ops.nms`. They are put into this process alone, so that
Lightning and transformers, which break at the sight of half a torchvision, keep an environment without any.
"""

import importlib.machinery
import importlib.metadata
import importlib.util
import os
import runpy
import shutil
import sys
import tempfile
import types
from pathlib import Path

VERSION = "0.28.0"  # pairs with torch 2.13


def prepare_folder():
    """Sets the framework's switches and gives it a folder for its settings, with the font that it would download otherwise."""
    folder = Path(tempfile.gettempdir()) / f"trainmon-ultralytics-{os.getuid()}"
    os.environ.update(YOLO_OFFLINE="1", YOLO_AUTOINSTALL="false", YOLO_CONFIG_DIR=str(folder), MPLCONFIGDIR=str(folder / "matplotlib"), MPLBACKEND="Agg")
    font = folder / "Ultralytics" / "Arial.ttf"
    if not font.exists():
        font.parent.mkdir(parents=True, exist_ok=True)
        matplotlib = importlib.util.find_spec("matplotlib").submodule_search_locations[0]
        part = font.with_name(f"{font.name}.{os.getpid()}")  # never half of it under its name, also where several processes come
        shutil.copy(Path(matplotlib) / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf", part)
        part.replace(font)


def install():
    """Puts a torchvision of the version and `ops.nms` into this process."""
    def nms(boxes, scores, iou_threshold):
        from ultralytics.utils.nms import TorchNMS

        return TorchNMS.nms(boxes, scores, iou_threshold)

    real = importlib.metadata.version
    importlib.metadata.version = lambda name: VERSION if name == "torchvision" else real(name)
    package, ops = types.ModuleType("torchvision"), types.ModuleType("torchvision.ops")
    for module in (package, ops):
        module.__spec__ = importlib.machinery.ModuleSpec(module.__name__, None, is_package=module is package)
    package.__version__, package.__path__, package.ops, ops.nms = VERSION, [], ops, nms
    sys.modules.update({"torchvision": package, "torchvision.ops": ops})


prepare_folder()
install()

if __name__ == "__main__":
    sys.argv = sys.argv[1:]
    sys.path[0] = os.path.dirname(os.path.abspath(sys.argv[0]))
    runpy.run_path(sys.argv[0], run_name="__main__")
