# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""What a Trainer, a module and a data module tell about a training, read without making them build anything."""

from __future__ import annotations

import contextlib
import math
import sys

from trainmon import values as conversion

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

WRAPPERS = ("Subset", "ConcatDataset")  # data sets around another one, whose name says more


def at_setup(trainer: Any, module: Any) -> dict[str, Any]:
    """Gives what is known before the data are there: settings, model, epochs."""
    config: dict[str, Any] = {}
    for owner in (trainer.datamodule, module):
        hparams = getattr(owner, "hparams", None)
        if hparams:
            config |= {str(name): value for name, value in dict(hparams).items() if name != "_class_path"}
    facts = {"config": conversion.to_plain(config), "model_type": type(module).__name__,
             "epochs": 0 if trainer.max_steps > 0 else max(0, trainer.max_epochs or 0)}  # else steps may decide, which is known once it trains
    if trainer.datamodule is not None:
        facts["dataset_name"] = type(trainer.datamodule).__name__
    for name in ("batch_size", "learning_rate"):
        number = conversion.to_number(config.get(name, config.get("lr") if name == "learning_rate" else None))
        if number is not None and number > 0:
            facts[name] = int(number) if name == "batch_size" else number
    return facts


def at_start(trainer: Any) -> dict[str, Any]:
    """Gives what is known once the data are there: data set, its size, batch size, learning rate, epochs."""
    facts: dict[str, Any] = {} if last_step(trainer) else {"epochs": max(0, trainer.max_epochs or 0)}
    loader = first_loader(getattr(trainer, "train_dataloader", None))
    if loader is not None:
        dataset = unwrapped(getattr(loader, "dataset", None))
        if dataset is not None and trainer.datamodule is None:
            facts["dataset_name"] = type(dataset).__name__
        with contextlib.suppress(TypeError, AttributeError, NotImplementedError):  # an endless or unsized data set
            facts["dataset_size"] = len(loader.dataset)
        if isinstance(getattr(loader, "batch_size", None), int):
            facts["batch_size"] = loader.batch_size
    rates = list(learning_rates(trainer).values())
    if rates:
        facts["learning_rate"] = rates[0]
    return facts


def first_loader(loaders: Any) -> Any:
    """Gives the first of one, several or nested data loaders, or None."""
    while loaders is not None and not hasattr(loaders, "dataset"):
        if hasattr(loaders, "flattened"):
            loaders = loaders.flattened
        if isinstance(loaders, dict):
            loaders = list(loaders.values())
        loaders = loaders[0] if isinstance(loaders, (list, tuple)) and loaders else None
    return loaders


def unwrapped(dataset: Any) -> Any:
    """Gives the data set inside of subsets and joined ones."""
    while type(dataset).__name__ in WRAPPERS:
        inner = getattr(dataset, "dataset", None)
        dataset = inner if inner is not None else dataset.datasets[0]
    return dataset


def class_names(trainer: Any, given: Any) -> list[str] | None:
    """Gives the names of the classes: the caller's, else `.classes` of the data module or of a data set."""
    names = given
    loaders = [getattr(trainer, kind, None) for kind in ("val_dataloaders", "train_dataloader", "test_dataloaders")]
    owners = [trainer.datamodule, *(unwrapped(getattr(first_loader(loader), "dataset", None)) for loader in loaders)]
    for owner in owners:
        names = names or getattr(owner, "classes", None)
    if isinstance(names, dict):
        names = [names[key] for key in sorted(names)]
    return [str(name) for name in (() if names is None else names)] or None


def learning_rates(trainer: Any) -> dict[str, float]:
    """Gives the learning rate of each parameter group of all optimizers as lr/pg0, lr/pg1 and so on."""
    groups = (group for optimizer in trainer.optimizers for group in optimizer.param_groups)
    rates = ((f"lr/pg{place}", conversion.to_number(group.get("lr"))) for place, group in enumerate(groups))
    return {name: rate for name, rate in rates if rate is not None}


def batches(count: Any) -> int:
    """Gives a number of batches, also as a list or infinite; 0 is unknown."""
    if isinstance(count, (list, tuple)):
        return sum(map(batches, count))
    return int(count) if count is not None and count < 2**62 else 0


def last_step(trainer: Any) -> int:
    """Gives the step at which the training is to end where that comes before the end of its last epoch; 0: its epochs decide."""
    steps, epochs, size = int(trainer.max_steps), trainer.max_epochs, batches(trainer.num_training_batches)
    if epochs is not None and epochs >= 0 and size and epochs * math.ceil(size / trainer.accumulate_grad_batches) <= steps:
        return 0
    return max(0, steps)


def full_batches(loaders: Any) -> int:
    """Gives how many batches of an epoch are certainly as large as the first: those of torch's own loader, samplers and collation; else 0.

    Asking a tensor for its size takes microseconds in a training, where what that runs is in no cache."""
    data = sys.modules["torch.utils.data"]
    sampler: Any = getattr(loaders, "batch_sampler", None)
    if type(loaders) is not data.DataLoader or type(sampler) is not data.BatchSampler or loaders.collate_fn is not data.default_collate:
        return 0
    if type(sampler.sampler) not in (data.SequentialSampler, data.RandomSampler, data.DistributedSampler):
        return 0
    return len(sampler.sampler) // sampler.batch_size


def batch_size(batch: Any) -> int:
    """Gives the number of samples of a batch by its first tensor; 0 is unknown."""
    if isinstance(batch, (list, tuple)) and batch:
        batch = batch[0]
    for _ in range(8):
        shape = getattr(batch, "shape", None)
        if shape is not None:
            return int(shape[0]) if len(shape) else 0
        if isinstance(batch, dict):
            batch = next(iter(batch.values()), None)
        elif isinstance(batch, (list, tuple)) and batch:
            batch = batch[0]
        else:
            break
    return 0


def checkpoint(callback: Any) -> tuple[str, dict[str, Any]]:
    """Gives the latest file of a checkpoint callback, "" when there is none, and what is known of it."""
    path = getattr(callback, "_last_checkpoint_saved", "") or getattr(callback, "last_model_path", "") or getattr(callback, "best_model_path", "")
    data = {"monitor": getattr(callback, "monitor", None), "score": conversion.to_number(getattr(callback, "current_score", None)),
            "best": getattr(callback, "best_model_path", None), "best_score": conversion.to_number(getattr(callback, "best_model_score", None))}
    return str(path), {name: value for name, value in data.items() if value not in (None, "")}
