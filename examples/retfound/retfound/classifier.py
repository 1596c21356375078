# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""The LightningModule: what is trained, what is logged, and weights from a file."""

import math
import warnings
from pathlib import Path

import lightning
import torch
from torch.nn import functional
from torchmetrics.functional.classification import multiclass_auroc, multiclass_f1_score

from retfound import models
from retfound.errors import RetfoundError


class Classifier(lightning.LightningModule):
    """A network with its classes. Its settings are plain values, so that a checkpoint alone is enough to use it."""

    def __init__(self, classes, *, kind="cnn", size=28, channels=1, width=32, learning_rate=0.002, weight_decay=0.01):
        """`classes`: their names; the rest is what configs/ say of model, data and training."""
        super().__init__()
        self.save_hyperparameters()
        self.classes = list(classes)
        self.net = models.build(kind, len(classes), channels, width, size)
        self._seen = []

    def forward(self, images):
        """Takes images as bytes, gives logits."""
        return self.net(images.float() / 127.5 - 1)

    def training_step(self, batch, _index):
        """Gives the loss of a batch; None for one of broken files alone."""
        if batch is None:
            return None
        images, targets = batch
        logits = self(images)
        loss = functional.cross_entropy(logits, targets)
        self.log("train/loss", loss, batch_size=len(targets))
        self.log("train/accuracy", (logits.argmax(1) == targets).float().mean(), batch_size=len(targets))
        return loss

    def validation_step(self, batch, _index):
        """Gives logits and targets, from which TrainMonCallback makes the figures of classes."""
        if batch is None:
            return None
        images, targets = batch
        logits = self(images)
        self._seen.append((logits, targets))
        return {"logits": logits, "targets": targets}

    def on_validation_epoch_end(self):
        """Logs the figures of the whole validation."""
        if not self._seen:
            return
        logits, targets = (torch.cat(parts) for parts in zip(*self._seen, strict=True))
        self._seen = []
        self.log_dict(figures(logits, targets))

    def on_validation_epoch_start(self):
        """Begins anew."""
        self._seen = []

    def configure_optimizers(self):
        """AdamW; the rate rises for a tenth of the steps and then falls as a cosine."""
        optimizer = torch.optim.AdamW(self.parameters(), self.hparams.learning_rate, weight_decay=self.hparams.weight_decay)
        steps = max(1, int(self.trainer.estimated_stepping_batches))
        warm = max(1, steps // 10)

        def share(at):
            return (at + 1) / warm if at < warm else 0.5 + 0.5 * math.cos(math.pi * min(1, at / (steps + 1)))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, share)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def figures(logits, targets):
    """Gives loss, accuracy, F1 and AUC-ROC of a whole validation."""
    count, chances = logits.shape[1], logits.softmax(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a class without a validation image has no curve, and that is told by its support
        return {"val/loss": functional.cross_entropy(logits, targets), "val/accuracy": (logits.argmax(1) == targets).float().mean(),
                "val/f1": multiclass_f1_score(chances, targets, count, average="macro"),
                "auc_roc/macro": multiclass_auroc(chances, targets, count, average="macro"),
                "auc_roc/weighted": multiclass_auroc(chances, targets, count, average="weighted")}


def read_weights(path):
    """Reads a checkpoint or a plain state dict. Only tensors and plain values are read, never code. RetfoundError: no such thing."""
    if not Path(path).is_file():
        raise RetfoundError(f"{path}: no such file of weights")
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise RetfoundError(f"{path} can't be read as weights: {str(error).splitlines()[0]}") from None
    if not isinstance(found, dict):
        raise RetfoundError(f"{path} holds {type(found).__name__}, expected a checkpoint or a state dict")
    return found


def start_from(model, path):
    """Copies the weights of a file that fit by name and shape; a head for other classes begins anew. Gives how many of the model's were copied."""
    found = read_weights(path)
    found = next((found[key] for key in ("state_dict", "model") if isinstance(found.get(key), dict)), found)
    own = model.net.state_dict()
    fit = {}
    for name, value in found.items():
        short = str(name).removeprefix("module.").removeprefix("net.")
        if torch.is_tensor(value) and short in own and own[short].shape == value.shape:
            fit[short] = value
    if not fit:
        raise RetfoundError(f"{path}: none of its {len(found)} weights fits; are model.type, model.width and data.channels those it was trained with?")
    model.net.load_state_dict({**own, **fit})
    return len(fit), len(own)


def from_checkpoint(path):
    """Gives the classifier of a checkpoint as it was trained."""
    found = read_weights(path)
    if "hyper_parameters" not in found or "state_dict" not in found:
        raise RetfoundError(f"{path} is no checkpoint of this program (weights alone go to --init)")
    try:
        model = Classifier(**found["hyper_parameters"])
        model.load_state_dict(found["state_dict"])
    except (TypeError, RuntimeError) as error:
        raise RetfoundError(f"{path} does not fit this program: {str(error).splitlines()[0]}") from None
    return model.eval()
