# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Lightning on Fashion-MNIST, recorded by trainmon: curves, figures of each class, pictures, pause and stop."""

import argparse
import gzip
from pathlib import Path

import torch
from lightning import pytorch as lightning
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from trainmon.lightning import TrainMonCallback, TrainMonLogger

CLASSES = ["T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]


def read(folder, part, count):
    """Reads pictures and labels of the IDX format: a header of 16 and of 8 bytes, then a byte a pixel or label."""
    pictures = gzip.decompress((folder / f"{part}-images-idx3-ubyte.gz").read_bytes())[16:]
    labels = gzip.decompress((folder / f"{part}-labels-idx1-ubyte.gz").read_bytes())[8:]
    pixels = torch.frombuffer(bytearray(pictures), dtype=torch.uint8).reshape(-1, 1, 28, 28)[:count]
    return TensorDataset(pixels / 255, torch.frombuffer(bytearray(labels), dtype=torch.uint8).long()[:count])


class Garments(lightning.LightningModule):
    """Two convolutions and a linear layer."""

    def __init__(self, lr=0.002, width=16):
        super().__init__()
        self.save_hyperparameters()
        self.net = torch.nn.Sequential(
            torch.nn.Conv2d(1, width, 3, padding=1), torch.nn.ReLU(), torch.nn.MaxPool2d(2),
            torch.nn.Conv2d(width, 2 * width, 3, padding=1), torch.nn.ReLU(), torch.nn.MaxPool2d(2),
            torch.nn.Flatten(), torch.nn.Linear(2 * width * 49, 10))

    def training_step(self, batch, index):
        loss = functional.cross_entropy(self.net(batch[0]), batch[1])
        self.log("train_loss", loss, on_step=True, on_epoch=True)
        return loss

    def validation_step(self, batch, index):
        logits = self.net(batch[0])
        self.log("val_loss", functional.cross_entropy(logits, batch[1]))
        self.log("val_acc", (logits.argmax(1) == batch[1]).float().mean())
        return {"logits": logits, "target": batch[1]}  # the figures of each class are counted from these

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), self.hparams.lr)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("/usr/share/datasets/fashion-mnist"))
    parser.add_argument("--images", type=int, default=12_000)
    parser.add_argument("--epochs", type=int, default=3)
    arguments = parser.parse_args()
    lightning.seed_everything(1, verbose=False)
    train = DataLoader(read(arguments.data, "train", arguments.images), 64, shuffle=True)
    val = DataLoader(read(arguments.data, "t10k", arguments.images // 4), 256)
    watch = TrainMonCallback(project="garments", dataset_name="Fashion-MNIST", class_names=CLASSES, critical={"Trouser": 0.95}, images="garments")
    trainer = lightning.Trainer(max_epochs=arguments.epochs, callbacks=[watch], logger=TrainMonLogger(name="garments"), enable_progress_bar=False)
    trainer.fit(Garments(), train, val)
    print(f"accuracy {float(trainer.callback_metrics['val_acc']):.4f}")


if __name__ == "__main__":
    main()
