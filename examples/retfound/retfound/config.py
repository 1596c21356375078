# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Settings: a YAML file, checked key by key, with changes from the command line."""

from fnmatch import fnmatchcase
from pathlib import Path

import yaml

from retfound.errors import RetfoundError

# Key: default (its type is what the key must have) and what is wrong with a value, or None.
KEYS = {
    "name": ("retfound", None),
    "data.folder": ("./data/v6.1", None),
    "data.image_size": (28, lambda value: "8 to 1024" if not 8 <= value <= 1024 else None),
    "data.channels": (1, lambda value: "1 or 3" if value not in (1, 3) else None),
    "data.val_fraction": (0.2, lambda value: "between 0 and 1" if not 0 < value < 1 else None),
    "data.seed": (6, None),
    "data.workers": (0, lambda value: "0 or more" if value < 0 else None),
    "data.cache_mb": (512, lambda value: "0 or more" if value < 0 else None),
    "model.type": ("cnn", lambda value: "cnn or vit" if value not in ("cnn", "vit") else None),
    "model.width": (32, lambda value: "a multiple of 8 from 8 to 1024" if value % 8 or not 8 <= value <= 1024 else None),
    "training.epochs": (5, lambda value: "1 or more" if value < 1 else None),
    "training.batch_size": (64, lambda value: "1 or more" if value < 1 else None),
    "training.learning_rate": (0.002, lambda value: "above 0" if value <= 0 else None),
    "training.weight_decay": (0.01, lambda value: "0 or more" if value < 0 else None),
    "training.device": ("auto", lambda value: "auto, cpu or gpu" if value not in ("auto", "cpu", "gpu") else None),
    "training.checkpoints": ("./checkpoints", None),
    "monitoring.update_frequency": (10.0, lambda value: "above 0" if value <= 0 else None),
    "monitoring.classes": (True, None),
    "monitoring.system": (True, None),
    "groups": ({}, lambda value: next((f"a list of class names for {name}" for name, names in value.items() if not isinstance(names, list)), None)),
    "critical_thresholds": ({}, lambda value: next((f"a number from 0 to 1 for {name}" for name, least in value.items()
                                                    if isinstance(least, bool) or not isinstance(least, (int, float)) or not 0 <= least <= 1), None)),
}
WORDS = {str: "text", int: "a whole number", float: "a number", bool: "true or false", dict: "a mapping"}


class Config(dict):
    """All keys of KEYS with a value each: `config["training.epochs"]`."""

    def group_of(self, classes):
        """Gives the group of each class that has one; names of the groups' lists may have * and ?."""
        return {name: group for name in classes for group, patterns in self["groups"].items() if any(fnmatchcase(name, str(pattern)) for pattern in patterns)}

    def critical(self, classes):
        """Gives the thresholds of those classes that are there, and the names of the others."""
        thresholds = self["critical_thresholds"]
        return {name: least for name, least in thresholds.items() if name in classes}, [name for name in thresholds if name not in classes]


def load(path, changes=()):
    """Reads a file (None: only defaults) and applies changes like `training.epochs=3`. RetfoundError names the key that is wrong."""
    found = {}
    if path is not None:
        try:
            text = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise RetfoundError(f"config {path}: {error.strerror}") from None
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise RetfoundError(f"config {path} is no YAML: {' '.join(str(error).split())}") from None
        if text is not None and not isinstance(text, dict):
            raise RetfoundError(f"config {path}: expected keys and values, found {type(text).__name__}")
        found = dict(_leaves(text or {}))
    for change in changes:
        key, equals, value = change.partition("=")
        if not equals:
            raise RetfoundError(f"--set {change}: expected KEY=VALUE")
        found[key] = yaml.safe_load(value)
    for key in found:
        if key not in KEYS:
            raise RetfoundError(f"config {path or '--set'}: unknown key {key}; known are {', '.join(KEYS)}")
    return Config({key: checked(key, found.get(key, default)) for key, (default, _) in KEYS.items()})


def _leaves(values, prefix=""):
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and name not in KEYS:
            yield from _leaves(value, f"{name}.")
        elif value is not None:
            yield name, value


def checked(key, value):
    """Gives a value of the type that its key has. RetfoundError: it is not allowed."""
    default, wrong = KEYS[key]
    kind = type(default)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not kind:
        raise RetfoundError(f"config: {key} is {value!r}, expected {WORDS[kind]}")
    expected = wrong(value) if wrong else None
    if expected:
        raise RetfoundError(f"config: {key} is {value!r}, expected {expected}")
    return value
