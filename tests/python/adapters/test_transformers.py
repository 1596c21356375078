# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""The callback of transformers: small models made from scratch on handwritten digits and on text; what is stored compared with the Trainer's own log."""

import json
import os
import subprocess
import sys

import numpy
import pytest
from ends import all_ended, ended

import trainmon

transformers = pytest.importorskip("transformers")
torch = pytest.importorskip("torch")
from trainmon.transformers import TrainMonCallback  # noqa: E402


@pytest.fixture
def trainer(digits):
    """Makes a Trainer of a small BERT that reads a digit as 64 tokens, one a pixel: 10 steps an epoch."""
    x, y, x_test, y_test = digits

    def rows(pixels, classes):
        return [{"input_ids": torch.tensor(image * 16, dtype=torch.long), "labels": int(label)} for image, label in zip(pixels, classes, strict=True)]

    def make(*callbacks, metrics=None, **options):
        transformers.set_seed(1)
        config = transformers.BertConfig(vocab_size=17, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
                                         max_position_embeddings=64, num_labels=10)
        arguments = {"output_dir": "out", "use_cpu": True, "disable_tqdm": True, "report_to": "none", "eval_strategy": "epoch", "save_strategy": "no",
                     "logging_steps": 5, "num_train_epochs": 2, "per_device_train_batch_size": 32, "learning_rate": 2e-3, "seed": 1, **options}
        return transformers.Trainer(transformers.BertForSequenceClassification(config), transformers.TrainingArguments(**arguments),
                                    train_dataset=rows(x[:320], y[:320]), eval_dataset=rows(x_test[:64], y_test[:64]), callbacks=list(callbacks),
                                    compute_metrics=lambda found: {"accuracy": float((numpy.argmax(found.predictions, 1) == found.label_ids).mean())})

    return make


def _of(history, name):
    return [(entry["step"], entry[name]) for entry in history if name in entry]


def _weights(trainer):
    return torch.cat([weights.detach().flatten() for weights in trainer.model.parameters()])


def test_what_is_stored_is_the_log_of_the_trainer(trainer, store, points):
    callback = TrainMonCallback(name="digits")
    watched = trainer(callback)  # one after the other: both take their random numbers from the seed on
    watched.train()
    alone = trainer()
    alone.train()
    assert torch.equal(_weights(watched), _weights(alone)), "the callback changes nothing of the training"
    history, id = watched.state.log_history, callback.run.id
    for name, stored in (("loss", "train/loss"), ("grad_norm", "train/grad_norm"), ("learning_rate", "train/learning_rate"), ("eval_loss", "eval/loss"),
                         ("eval_accuracy", "eval/accuracy"), ("eval_runtime", "eval/runtime")):
        assert points(id, stored) == _of(history, name) != [], name
    rows = store.epochs(id)
    evaluations = [entry for entry in history if "eval_loss" in entry]
    assert [row["epoch"] for row in rows] == [1, 2]
    assert [(row["val_loss"], row["val_accuracy"]) for row in rows] == [(entry["eval_loss"], entry["eval_accuracy"]) for entry in evaluations]
    assert [row["total_loss"] for row in rows] == [value for step, value in _of(history, "loss") if step % 10 == 0]
    assert all(row["epoch_time_seconds"] > 0 for row in rows)
    record = ended(store, id)
    assert (record.status, record.name, record.model_type, record.epochs, record.batch_size, record.dataset_size) == ("completed", "digits", "bert", 2, 32, 320)
    assert record.learning_rate == 2e-3 and record.config["model"]["hidden_size"] == 32 and record.config["parameters"] == _weights(alone).numel()
    assert record.progress["epoch"] == 2 and record.progress["batches"] == 10
    assert callback.run.summary["train_loss"] == history[-1]["train_loss"]
    assert [event["message"] for event in store.events(id) if event["kind"] == "phase"] == ["train", "validate", "train", "validate"]


def test_a_language_model_on_text(store, points):
    text = json.__doc__ * 2
    letters = sorted(set(text))
    tokens = torch.tensor([letters.index(letter) for letter in text])
    rows = [{"input_ids": piece, "labels": piece} for piece in tokens.unfold(0, 32, 16)[:80]]
    model = transformers.GPT2LMHeadModel(transformers.GPT2Config(vocab_size=len(letters), n_positions=32, n_embd=32, n_layer=1, n_head=2))
    callback = TrainMonCallback()
    arguments = transformers.TrainingArguments("out", use_cpu=True, disable_tqdm=True, report_to="none", save_strategy="no", max_steps=12, logging_steps=3,
                                               per_device_train_batch_size=4, gradient_accumulation_steps=2)
    trainer = transformers.Trainer(model, arguments, train_dataset=rows, callbacks=[callback])
    trainer.train()
    assert points(callback.run.id, "train/loss") == _of(trainer.state.log_history, "loss")
    assert len(store.points(callback.run.id, "train/loss")) == 4
    record = store.run(callback.run.id)
    assert record.model_type == "gpt2"
    # 80 rows are 10 steps, so the training ends in its second epoch, and it is all there all the same.
    assert (record.progress["batch"], record.progress["batches"], record.percent) == (12, 12, 100.0)


def test_the_progress_after_the_last_step_of_an_epoch(trainer):
    told = []

    class Looks(transformers.TrainerCallback):
        def on_step_end(self, args, state, control, **_):
            told.append((dict(callback._loop._progress), state.global_step))

    callback = TrainMonCallback()
    trainer(callback, Looks(), num_train_epochs=2).train()
    assert [(each["epoch"] * each["batches"] + each["batch"], each["epochs"]) for each, _ in told] == [(step, 2) for _, step in told]


def test_pause_holds_and_stop_ends(trainer, store, points, person):
    who = person(pause=0.5, stop=True)
    callback = TrainMonCallback()
    training = trainer(callback, num_train_epochs=50, logging_steps=1)
    training.train()
    who.join()
    before, after = who.paused
    assert (before["epoch"], before["batch"]) == (after["epoch"], after["batch"])
    assert 0 < training.state.global_step < 500
    record = ended(store, callback.run.id)
    assert record.status == "cancelled"
    assert points(record.id, "train/loss") == _of(training.state.log_history, "loss")
    assert points(record.id, "eval/loss") == _of(training.state.log_history, "eval_loss") != []


def test_checkpoints_and_the_run_that_goes_on(trainer, store, shown):
    options = {"save_strategy": "epoch", "metric_for_best_model": "accuracy", "greater_is_better": True}

    class Breaks(transformers.TrainerCallback):
        def on_step_end(self, args, state, control, **_):
            if state.global_step == 15:
                raise ZeroDivisionError

    first = TrainMonCallback(resume=True)
    with pytest.raises(ZeroDivisionError):
        trainer(first, Breaks(), **options).train()
    id = first.run.id
    assert store.run(id).status == "running"  # the process may yet say how it ended
    (event,) = [event for event in store.events(id) if event["kind"] == "checkpoint"]
    assert event["message"].endswith("checkpoint-10") and event["step"] == 10 and event["data"]["best"]
    assert store.run(id).best_metric == "val_accuracy:max" and store.run(id).model_path.endswith("checkpoint-10")
    second = TrainMonCallback(resume=True)
    training = trainer(second, **options)
    training.train(resume_from_checkpoint=True)
    assert second.run.id == id
    record = ended(store, id)
    assert (record.status, record.attempts) == ("completed", 2)
    assert shown(id, "train/loss") == _of(training.state.log_history, "loss")
    assert [row["epoch"] for row in store.epochs(id)] == [1, 2]
    other = TrainMonCallback()
    trainer(other, **options).train(resume_from_checkpoint="out/checkpoint-10")
    assert other.run.id != id


def test_evaluation_and_prediction_outside_a_training(trainer, store):
    callback = TrainMonCallback(name="later")
    training = trainer(callback, num_train_epochs=1)
    found = training.evaluate()
    first = callback.run.id
    assert ended(store, first).status == "completed" and store.points(first, "eval/loss")[0]["value"] == found["eval_loss"]
    training.train()
    id = callback.run.id
    predicted = training.predict(training.eval_dataset).metrics
    evaluated = training.evaluate()
    assert id != first and ended(store, id).status == "completed"
    events = {event["kind"]: event["data"] for event in store.events(id) if event["kind"] in ("predict", "evaluate")}
    assert events["predict"]["test/loss"] == predicted["test_loss"] and events["evaluate"]["eval/accuracy"] == evaluated["eval_accuracy"]


def test_logs_are_copied_and_two_fits_are_two_runs(trainer, store):
    class Pops(transformers.TrainerCallback):
        def on_log(self, args, state, control, logs=None, **_):
            logs.clear()

    callback = TrainMonCallback()
    training = trainer(callback, Pops(), num_train_epochs=1, eval_strategy="no")
    training.train()
    first = callback.run.id
    training.train()
    assert callback.run.id != first and {run.status for run in all_ended(store)} == {"completed"} and len(store.runs()) == 2


def test_the_run_of_the_script_stays_open(trainer, store):
    with trainmon.init(config={"mine": 1}) as run:
        training = trainer(TrainMonCallback(), num_train_epochs=1)
        training.train()
        training.evaluate()
        assert not run.finished
    assert store.run(run.id).config["mine"] == 1 and store.run(run.id).config["per_device_train_batch_size"] == 32
    assert len(store.points(run.id, "eval/loss")) == 2


def test_other_processes_record_nothing_but_hear_of_the_stop(trainer, store):
    callback = TrainMonCallback()
    training = trainer(callback, num_train_epochs=1)
    training.state.is_world_process_zero = False
    callback.on_train_begin(training.args, training.state, training.control, model=training.model)
    assert callback.run is None and callback.on_step_end(training.args, training.state, training.control) is training.control
    callback.on_log(training.args, training.state, training.control, logs={"loss": 1.0})
    callback.on_train_end(training.args, training.state, training.control)
    assert store.runs() == []


def test_trouble_of_ours_ends_no_training(trainer, monkeypatch):
    monkeypatch.setenv("TRAINMON_DIR", "/proc/no/such/place")
    callback = TrainMonCallback()
    training = trainer(callback, num_train_epochs=1)
    training.train()
    assert training.state.global_step == 10 and callback.run.disabled


PROCESS = """
import os, sys, threading, time
import torch, transformers, trainmon
from trainmon.transformers import TrainMonCallback

callback = TrainMonCallback()

def stop():
    while callback.run is None or callback.run.store.run(callback.run.id).progress["batch"] < 3:
        time.sleep(0.01)
    callback.run.request("stop")

if os.environ["RANK"] == "0":
    threading.Thread(target=stop, daemon=True).start()
rows = [{"input_ids": torch.arange(16) % 7, "labels": torch.arange(16) % 7}] * 400
model = transformers.GPT2LMHeadModel(transformers.GPT2Config(vocab_size=7, n_positions=16, n_embd=16, n_layer=1, n_head=2))
arguments = transformers.TrainingArguments("out", use_cpu=True, disable_tqdm=True, report_to="none", save_strategy="no", num_train_epochs=500, logging_steps=4,
                                           per_device_train_batch_size=2)
trainer = transformers.Trainer(model, arguments, train_dataset=rows, callbacks=[callback])
trainer.train()
assert arguments.world_size == 2
with open(f"rank{os.environ['RANK']}", "w") as file:
    file.write(f"{trainer.state.global_step} {callback.run is not None}")
torch.distributed.destroy_process_group()
os._exit(0)  # the run has ended; threads of gloo that still end make the C++ runtime abort now and then
"""


def test_two_processes_stop_at_one_step(store, tmp_path):
    (tmp_path / "train.py").write_text(PROCESS)
    where = {"PYTHONPATH": os.path.dirname(os.path.dirname(trainmon.__file__)), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "train.py"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, env={**os.environ, **where}, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    (step, records), (other_step, other_records) = ((tmp_path / f"rank{rank}").read_text().split() for rank in (0, 1))
    assert step == other_step and int(step) % 4 == 0 and int(step) < 50_000
    assert (records, other_records) == ("True", "False")
    run = ended(store)
    assert run.status == "cancelled" and max(int(point["step"]) for point in store.points(run.id, "train/loss")) == int(step)
