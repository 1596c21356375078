# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""The Python snippets of the document, as they stand there, with a Trainer of one's own; and the demonstration."""

import logging

import lightning
import torch
from conftest import run
from ends import ended
from retfound.classifier import Classifier
from retfound.data.folder import Images, collate, scan

import trainmon


def fit(folder, callback, **options):
    """One epoch with a Trainer to which the callback is appended after it was made."""
    data = scan(folder)
    loaders = [torch.utils.data.DataLoader(Images(part, 28, 1), 32, collate_fn=collate) for part in (data.train, data.val)]
    trainer = lightning.Trainer(max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False, **options)
    trainer.callbacks.append(callback)
    trainer.fit(Classifier(data.classes, width=8), *loaders)
    return trainer


def test_integration_as_written(place):
    from retfound.monitoring import create_monitoring_callback

    callback = create_monitoring_callback(
        callback_type='retfound',
        update_frequency=10
    )
    trainer = fit("data/v6.1", callback)
    record = ended(trainmon.Store("monitoring"))
    assert (record.status, record.id) == ("completed", callback.run.id)
    row = trainmon.Store("monitoring").epochs(record.id)[0]
    assert row["val_accuracy"] == float(trainer.callback_metrics["val/accuracy"])


def test_all_arguments_as_written(place):
    from retfound.monitoring import create_monitoring_callback

    logging.basicConfig(level=logging.DEBUG)
    logger = logging.getLogger('retfound.monitoring')
    logger.setLevel(logging.DEBUG)
    callback = create_monitoring_callback(
        callback_type='retfound',
        update_frequency=10,          # Updates par seconde
        critical_thresholds={
            'RAO': 0.99,
            'RVO': 0.97,
            'Retinal_Detachment': 0.99
        },
        enable_class_monitoring=True,
        enable_system_monitoring=True
    )
    fit("data/v6.1", callback)
    conditions = trainmon.Store("monitoring").conditions(callback.run.id)
    assert {name: condition["threshold"] for name, condition in conditions.items()} == {"RAO": 0.99, "RVO": 0.97, "Retinal_Detachment": 0.99}
    assert len(trainmon.Store("monitoring").results("confusion_matrices", callback.run.id)) == 1


def test_without_classes_and_machine(place):
    from trainmon.monitoring import create_monitoring_callback

    callback = create_monitoring_callback("lightning", enable_class_monitoring=False, enable_system_monitoring=False)
    fit("data/v6.1", callback)
    store = trainmon.Store("trainmon")
    assert store.results("confusion_matrices", callback.run.id) == store.results("validation_results", callback.run.id) == []
    assert not [name for name in store.metrics(callback.run.id) if name.startswith(("system/", "class/", "per_class/"))]


def test_the_demonstration_trains(tmp_path):
    out, _ = run("retfound.monitoring.demo", "--once", "--per-class", "4", "--epochs", "1", "--port", "0")
    assert "80 images written to ./data/demo" in out
    assert "page: http://127.0.0.1:" in out
    assert "completed" in out
    record = ended(trainmon.Store("monitoring"))
    assert (record.name, record.status) == ("demo", "completed")
    assert len(trainmon.Store("monitoring").results("confusion_matrices", record.id)[0]["class_names"]) == 20
