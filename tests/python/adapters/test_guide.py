# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""The Python of the guide's pages for frameworks, run as it is written, after what each snippet takes for granted."""

import pathlib
import re

import pytest
from ends import ended

GUIDE = pathlib.Path(__file__).resolve().parents[3] / "docs" / "guide"


def run_snippet(page, number, **names):
    """Runs a Python block of a page with these names; gives the names after it."""
    text = re.findall(r"^```python\n(.*?)^```", (GUIDE / page).read_text("utf-8"), re.M | re.S)[number - 1]
    exec(compile(text, page, "exec"), names)
    return names


def test_keras(digits, store):
    keras = pytest.importorskip("keras")
    x, y, x_val, y_val = digits
    model = keras.Sequential([keras.layers.Input((64,)), keras.layers.Dense(10, activation="softmax")])
    model.compile(loss="sparse_categorical_crossentropy")
    run_snippet("python-keras.md", 1, model=model, x=x, y=y, x_val=x_val, y_val=y_val)
    run = ended(store)
    assert (run.status, run.tags, len(store.epochs(run.id))) == ("completed", ["project:digits"], 10)


def test_lightning(monkeypatch):
    lightning = pytest.importorskip("lightning.pytorch")
    made = []
    run_snippet("python-lightning.md", 1, Trainer=lambda **options: made.append(lightning.Trainer(accelerator="cpu", **options)))
    from trainmon.lightning import TrainMonCallback, TrainMonLogger

    assert [type(logger) for logger in made[0].loggers] == [type(TrainMonLogger())]
    assert any(isinstance(callback, type(TrainMonCallback())) for callback in made[0].callbacks)


def test_monitoring():
    lightning = pytest.importorskip("lightning.pytorch")
    trainer = lightning.Trainer(accelerator="cpu", logger=False)
    after = run_snippet("python-monitoring.md", 1, trainer=trainer)
    assert isinstance(after["callback"], lightning.Callback) and trainer.callbacks[-1] is after["callback"]


def test_transformers(digits, store):
    transformers = pytest.importorskip("transformers")
    torch = pytest.importorskip("torch")
    x, y, *_ = digits
    rows = [{"input_ids": torch.tensor(image * 16, dtype=torch.long), "labels": int(label)} for image, label in zip(x[:64], y[:64], strict=True)]
    config = transformers.BertConfig(vocab_size=17, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
                                     max_position_embeddings=64, num_labels=10)

    def trainer(model, args, train_dataset, eval_dataset, callbacks):
        assert train_dataset is eval_dataset is ...
        return transformers.Trainer(model, args, train_dataset=rows, eval_dataset=rows, callbacks=callbacks)

    args = transformers.TrainingArguments("out", use_cpu=True, disable_tqdm=True, report_to="none", save_strategy="no", num_train_epochs=1, logging_steps=4)
    run_snippet("python-transformers.md", 1, Trainer=trainer, model=transformers.BertForSequenceClassification(config), args=args)
    run = ended(store)
    assert run.status == "completed" and "train/loss" in store.metrics(run.id)


def test_a_notebook():
    pytest.importorskip("IPython")
    import trainmon.notebook

    run = trainmon.init()
    run.log({"loss": 1.0})
    after = run_snippet("python-reading.md", 2, trainmon=trainmon, run=run)
    after["watch"].stop()
