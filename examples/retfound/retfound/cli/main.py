# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""The program: `python -m retfound.cli.main train --config configs/dataset_v6.1.yaml --enable-monitoring`. Also evaluate and predict."""

import argparse
import json
import logging
import sys

from retfound import config as settings
from retfound.errors import RetfoundError


def parser():
    """Gives the parser of the command line."""
    top = argparse.ArgumentParser(prog="python -m retfound.cli.main", description="Trains and uses a classifier of images, a class a folder.")
    top.add_argument("--debug", action="store_true", help="log more, and show where an error came from")
    commands = top.add_subparsers(dest="command", required=True, metavar="train|evaluate|predict")
    train = commands.add_parser("train", help="train, watched and steered from the page with --enable-monitoring")
    _common(train)
    train.add_argument("--enable-monitoring", action="store_true", help="record the run, show it live and obey pause and stop")
    train.add_argument("--epochs", type=int, metavar="N", help="same as --set training.epochs=N")
    start = train.add_mutually_exclusive_group()
    start.add_argument("--init", metavar="FILE", help="go on from these weights (transfer learning); layers that do not fit begin anew")
    start.add_argument("--resume", metavar="FILE", help="go on with the training of this checkpoint, in the same run")
    check = commands.add_parser("evaluate", help="accuracy and sensitivities of a checkpoint on the validation images")
    _common(check)
    check.add_argument("--checkpoint", required=True, metavar="FILE")
    guess = commands.add_parser("predict", help="the class of images")
    guess.add_argument("--checkpoint", required=True, metavar="FILE")
    guess.add_argument("images", nargs="+", metavar="IMAGE")
    return top


def _common(command):
    command.add_argument("--config", metavar="FILE", help="settings in YAML; without it the defaults")
    command.add_argument("--data", metavar="DIR", help="same as --set data.folder=DIR")
    command.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change a setting; may be given more than once")


def _config(given):
    config = settings.load(given.config, given.set)
    if given.data:
        config["data.folder"] = given.data
    if getattr(given, "epochs", None) is not None:
        config = settings.Config(config, **{"training.epochs": settings.checked("training.epochs", given.epochs)})
    return config


def run_train(given):
    """Trains, and says what came of it."""
    config = _config(given)
    from retfound.train import train  # torch takes seconds to load: help and mistakes should not

    if given.enable_monitoring:
        from retfound.monitoring import store_path

        print(f"store: {store_path()}; page: python -m retfound.monitoring.server", flush=True)
    result = train(config, monitoring=given.enable_monitoring, init=given.init, resume=given.resume)
    print(f"{result.status}: accuracy {result.accuracy:.4f}, loss {result.loss:.4f}, {result.seconds:.1f} s, checkpoints in {result.checkpoints}")


def run_evaluate(given):
    """Prints the figures of a checkpoint."""
    config = _config(given)
    from retfound.train import evaluate

    accuracy, classes = evaluate(config, given.checkpoint)
    for name, (sensitivity, count) in classes.items():
        print(f"{name:32} {'no images' if sensitivity is None else f'{sensitivity:.4f} of {count}'}")
    print(f"accuracy {accuracy:.4f}")


def run_predict(given):
    """Prints a line of JSON an image: its class and the probability. An image that can't be read is told, and the status is then 1."""
    import torch

    from retfound.classifier import from_checkpoint
    from retfound.data.folder import read

    model, status = from_checkpoint(given.checkpoint), 0
    for path in given.images:
        try:
            image = read(path, model.hparams.size, model.hparams.channels)
        except Exception as error:  # whatever Pillow raises for foreign bytes
            print(f"{path}: {error}", file=sys.stderr)
            status = 1
            continue
        with torch.inference_mode():
            score, number = model(image[None]).softmax(1)[0].max(0)
        print(json.dumps({"image": path, "class": model.classes[int(number)], "probability": round(float(score), 4)}))
    return status


def main(arguments=None):
    """The program; gives its exit status: 0, 2 for a mistake in settings, data or files, 130 after Ctrl-C."""
    given = parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    if given.debug:
        for name in ("retfound", "trainmon"):
            logging.getLogger(name).setLevel(logging.DEBUG)
    try:
        return {"train": run_train, "evaluate": run_evaluate, "predict": run_predict}[given.command](given) or 0
    except RetfoundError as error:
        if given.debug:
            raise
        print(f"{given.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
