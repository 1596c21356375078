# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""A plain torch loop that records itself: a small network learns the handwritten digits of scikit-learn. usage: torch_digits.py [EPOCHS]"""

import sys
import time

import torch
from sklearn.datasets import load_digits
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import train_test_split

import trainmon

BATCH = 32

data = load_digits()
names = [str(name) for name in data.target_names]
x_train, x_val, y_train, y_val = train_test_split(data.images / 16, data.target, test_size=0.2, random_state=1, stratify=data.target)
x_train, x_val = torch.tensor(x_train, dtype=torch.float32)[:, None], torch.tensor(x_val, dtype=torch.float32)[:, None]
y_train, y_val = torch.tensor(y_train), torch.tensor(y_val)

torch.manual_seed(1)
model = torch.nn.Sequential(
    torch.nn.Conv2d(1, 16, 3, padding=1), torch.nn.ReLU(), torch.nn.MaxPool2d(2),
    torch.nn.Conv2d(16, 32, 3, padding=1), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(32 * 4 * 4, 10),
)
config = {"lr": 0.05, "momentum": 0.9, "batch_size": BATCH, "epochs": int(sys.argv[1]) if len(sys.argv) > 1 else 10}
optimizer = torch.optim.SGD(model.parameters(), lr=config["lr"], momentum=config["momentum"])
batches = -(-len(x_train) // BATCH)

with trainmon.init(project="plain", name="torch-digits", config=config, model_type="cnn", dataset_name="digits", dataset_size=len(x_train),
                   epochs=config["epochs"], batch_size=BATCH, learning_rate=config["lr"]) as run:
    step = 0
    for epoch in range(1, config["epochs"] + 1):
        began, total = time.monotonic(), 0.0
        for batch, rows in enumerate(torch.randperm(len(x_train)).split(BATCH), 1):
            if run.wait_while_paused():  # waits while people want a pause, true when they want it to stop
                break
            loss = torch.nn.functional.cross_entropy(model(x_train[rows]), y_train[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1
            total += loss.item() * len(rows)
            run.log({"train/loss": loss.item()}, step)
            run.progress(epoch=epoch - 1, batch=batch, batches=batches)
        if run.should_stop:
            run.finish(status="cancelled")
            break
        with torch.no_grad():
            scores = model(x_val)
        called = scores.argmax(1)
        values = {"val/loss": torch.nn.functional.cross_entropy(scores, y_val).item(), "val/accuracy": (called == y_val).float().mean().item()}
        run.log(values, step)
        run.log_epoch(epoch, {"train/loss": total / len(x_train), **values, "epoch_time_seconds": time.monotonic() - began})
        run.log_confusion(confusion_matrix(y_val, called), names, epoch=epoch)  # figures a class are derived from it
        first = int((called != y_val).int().argmax())
        run.log_image("mistake", x_val[first], epoch=epoch, step=step, label=names[y_val[first]], prediction=names[called[first]])
        run.progress(epoch=epoch)
        print(f"epoch {epoch}: loss {total / len(x_train):.4f}, validation {values['val/accuracy']:.4f}")
