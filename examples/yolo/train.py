# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Trains a YOLO detector from scratch on scenes composed of real handwritten digits, recorded by trainmon. Needs neither a GPU nor a download."""

import argparse

from scenes import make
from ultralytics import YOLO

from trainmon.ultralytics import attach

SETTINGS = {"imgsz": 96, "batch": 16, "nbs": 16, "optimizer": "AdamW", "lr0": 0.002, "warmup_epochs": 1, "mosaic": 0, "fliplr": 0, "scale": 0.2,
            "translate": 0.05, "close_mosaic": 0, "pretrained": False, "amp": False, "workers": 0}


def main():
    """Reads the arguments, makes the scenes, trains."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--model", default="yolo11n.yaml", help="a description that is in the Ultralytics package (default: %(default)s)")
    parser.add_argument("--data", default="scenes", help="folder of the scenes, made when missing (default: ./%(default)s)")
    parser.add_argument("--device", default="cpu", help='"cpu" (default), or "0" for a GPU')
    parser.add_argument("--plots", action="store_true", help="have Ultralytics draw its plots, which are recorded too")
    parser.add_argument("--dashboard", action="store_true", help="serve the page while the training runs")
    arguments = parser.parse_args()

    model = YOLO(arguments.model)
    attach(model, critical={"digit 8": 0.7}, project="digits", dashboard=arguments.dashboard)
    metrics = model.train(data=str(make(arguments.data)), epochs=arguments.epochs, device=arguments.device, plots=arguments.plots, **SETTINGS)
    print(f"mAP50 {metrics.box.map50:.3f}, mAP50-95 {metrics.box.map:.3f}")


if __name__ == "__main__":
    main()
