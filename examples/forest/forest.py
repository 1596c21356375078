#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""A random forest on the handwritten digits of scikit-learn, trained a few trees at a time and reported over the REST API. What a server sets when it starts this
as a recipe (TRAINMON_SESSION_ID, TRAINMON_URL, TRAINMON_TOKEN) is used; without it a session is made at http://127.0.0.1:8000."""
import argparse
import json
import os
import signal
import sys
import time
import urllib.error
import urllib.request

from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import log_loss, precision_recall_fscore_support
from sklearn.model_selection import train_test_split


class Stopped(Exception):
    pass


class Report:
    """One session of a server. A server that is away does not end the training: what it missed is said on standard error."""

    def __init__(self, url, token, session):
        self.url, self.token, self.session = url, token, session

    def ask(self, method, path, body=None):
        request = urllib.request.Request(self.url + path, None if body is None else json.dumps(body).encode(), {"Content-Type": "application/json"}, method=method)
        if self.token:
            request.add_header("Authorization", "Bearer " + self.token)
        for pause in (0.2, 1, None):
            try:
                with urllib.request.urlopen(request, timeout=10) as reply:
                    return reply.status, json.load(reply)
            except urllib.error.HTTPError as error:
                if error.code not in (429, 503) or pause is None:
                    return error.code, json.load(error)
            except OSError as error:
                if pause is None:
                    print(f"{method} {path}: {error}", file=sys.stderr, flush=True)
                    return 0, {}
            time.sleep(pause)

    def begin(self, facts):
        facts = {**facts, "status": "running"}
        if self.session:
            status, reply = self.ask("PATCH", f"/api/training/sessions/{self.session}", facts)
        else:
            status, reply = self.ask("POST", "/api/training/sessions", facts)
        if status not in (200, 201):
            sys.exit(f"the session can't be begun: {reply.get('error', {}).get('message', 'no server')}")
        self.session = reply["session"]["id"]

    def end(self, status, **facts):
        self.ask("PATCH", f"/api/training/sessions/{self.session}", {**facts, "status": status})

    def epoch(self, epoch, values):
        """Obeys what the reply says: waits while paused, raises when it is to stop."""
        _, reply = self.ask("POST", "/api/training/metrics", {"session_id": self.session, "epoch": epoch, **values})
        control = reply.get("control")
        while control == "pause":
            time.sleep(0.5)
            status, reply = self.ask("GET", f"/api/training/sessions/{self.session}")
            control = reply["session"]["control"] if status == 200 else control
        if control == "stop":
            raise Stopped("stopped on request")

    def classes(self, epoch, names, figures):
        for name, precision, recall, f1, support in zip(names, *figures):
            row = {"session_id": self.session, "epoch": epoch, "class_name": name, "split": "validation", "precision": precision, "recall": recall, "f1_score": f1,
                   "sensitivity": recall, "support": int(support)}
            if self.ask("POST", "/api/training/validation-results", row)[0] != 201:
                return  # an older server


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trees", type=int, default=200)
    parser.add_argument("--step", type=int, default=5, help="trees added at a time")
    parser.add_argument("--max_depth", type=int, default=12)
    parser.add_argument("--criterion", choices=("gini", "entropy", "log_loss"), default="gini")
    parser.add_argument("--validation", type=float, default=0.25, help="share of the images kept for validation")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def measure(forest, train, validation, seconds):
    predicted = forest.predict(validation[0])
    macro = precision_recall_fscore_support(validation[1], predicted, average="macro", zero_division=0)
    classes = precision_recall_fscore_support(validation[1], predicted, labels=forest.classes_, zero_division=0)
    values = {
        "total_loss": log_loss(train[1], forest.predict_proba(train[0]), labels=forest.classes_),
        "val_loss": log_loss(validation[1], forest.predict_proba(validation[0]), labels=forest.classes_),
        "train_accuracy": forest.score(*train),
        "val_accuracy": float((predicted == validation[1]).mean()),
        "precision": float(macro[0]), "recall": float(macro[1]), "f1_score": float(macro[2]),
        "trees": len(forest.estimators_), "epoch_time_seconds": seconds,
    }
    values.update({f"per_class/{name}": float(recall) for name, recall in zip(forest.classes_, classes[1])})
    return values, classes


def train(report, arguments):
    digits = load_digits()
    train_x, validation_x, train_y, validation_y = train_test_split(digits.data, digits.target, test_size=arguments.validation, random_state=arguments.seed,
                                                                    stratify=digits.target)
    forest = RandomForestClassifier(n_estimators=0, warm_start=True, max_depth=arguments.max_depth, criterion=arguments.criterion, random_state=arguments.seed)
    epochs = -(-arguments.trees // arguments.step)
    report.begin({"model_type": "randomforest", "dataset_name": "digits", "dataset_size": len(digits.data), "epochs": epochs, "img_size": 8})
    for epoch in range(1, epochs + 1):
        begin = time.monotonic()
        forest.set_params(n_estimators=min(epoch * arguments.step, arguments.trees))
        forest.fit(train_x, train_y)
        values, classes = measure(forest, (train_x, train_y), (validation_x, validation_y), time.monotonic() - begin)
        print(f"{values['trees']} trees: accuracy {values['train_accuracy']:.4f}, validation {values['val_accuracy']:.4f}", flush=True)
        report.epoch(epoch, values)
    report.classes(epochs, [str(name) for name in forest.classes_], [[float(x) for x in column] for column in classes])
    report.end("completed", final_precision=values["precision"], final_recall=values["recall"], final_loss=values["val_loss"])


def main():
    def stop(*_):
        raise Stopped("ended by a signal")

    arguments = read_arguments()
    signal.signal(signal.SIGTERM, stop)
    report = Report(os.environ.get("TRAINMON_URL", "http://127.0.0.1:8000"), os.environ.get("TRAINMON_TOKEN"), os.environ.get("TRAINMON_SESSION_ID"))
    try:
        train(report, arguments)
    except (Stopped, KeyboardInterrupt) as reason:
        print(reason or "interrupted", flush=True)
        if report.session:
            report.end("cancelled")


if __name__ == "__main__":
    main()
