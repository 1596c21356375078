# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""The demonstration: `python -m retfound.monitoring.demo`. Nothing is simulated: it writes 20 classes of real images, opens the page and trains.

The images are clothes of Fashion-MNIST and handwritten digits; medical images are not part of this example.
"""

import argparse
import signal
import sys
import time
from pathlib import Path

from retfound import config as settings
from retfound.data.prepare import prepare
from retfound.errors import RetfoundError
from retfound.monitoring import store_path
from retfound.train import train
from trainmon.server import Dashboard

HERE = Path(__file__).resolve().parents[2]


def options():
    """Gives the parser of the command."""
    parser = argparse.ArgumentParser(prog="python -m retfound.monitoring.demo", description="Trains a real classifier of 20 classes and shows it live.")
    parser.add_argument("--data", default="./data/demo", metavar="DIR", help="where the images are or go (./data/demo)")
    parser.add_argument("--per-class", type=int, default=200, metavar="N", help="images a class, when they are written (200)")
    parser.add_argument("--epochs", type=int, default=8, metavar="N")
    parser.add_argument("--port", type=int, default=8000, help="of the page (8000); a free one when it is taken")
    parser.add_argument("--once", action="store_true", help="end with the training; otherwise the page stays until Ctrl-C")
    return parser


def main():
    """The command."""
    given = options().parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # in order, so that the page ends too
    page = None
    try:
        if not Path(given.data).is_dir():
            print(f"{prepare(given.data, given.per_class)} images written to {given.data}")
        page = Dashboard(store_path(), port=given.port)
        print(f"page: {page.url}", flush=True)
        changes = [f"data.folder={given.data}", f"training.epochs={given.epochs}", "name=demo"]
        result = train(settings.load(HERE / "configs" / "dataset_v6.1.yaml", changes), monitoring=True)
        print(f"accuracy {result.accuracy:.3f} in {result.seconds:.0f} s, {result.status}", flush=True)
        while not given.once:
            time.sleep(3600)
    except (RetfoundError, OSError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print()
    finally:
        if page is not None:
            page.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
