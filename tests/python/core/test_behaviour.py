# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""The behaviour table (tests/behaviour/table.json) through the binding: writing through its core, which raises what is refused, reading through Store."""

import json
import math
import os

import pytest

import trainmon
from trainmon._core import ffi, lib
from trainmon._native import CONTROLS, STATUSES, json_call, new_struct, to_bytes
from trainmon.errors import check

with open(os.path.join(os.path.dirname(__file__), "..", "..", "behaviour", "table.json"), encoding="utf-8") as file:
    CASES = json.load(file)["cases"]

KINDS = {"validation": 0, "confusion": 1, "benchmark": 2, "dataset": 3, "trial": 4}
NOT_SAID = ("learning_rate", "final_map50", "final_map50_95", "final_precision", "final_recall", "final_loss")


class Runner:
    """Makes the calls of one case; each operation of the table is a method `do_NAME`."""

    def __init__(self):
        self.store = None
        self.ids = []
        self.sessions = []
        self.metrics = {}

    def id_of(self, call):
        return call["id"] if "id" in call else self.ids[call.get("run", -1)]

    def session(self, call):
        return self.sessions[call.get("run", -1)]

    # Stores and sessions

    def do_open(self, call):
        options = {name: value for name, value in call.items() if name in ("read_only", "must_exist")}
        path = call.get("path", "store")
        self.store = trainmon.Store(path, ring_folder=None if options else os.getcwd(), **options)

    def do_close(self, call):
        for session in self.sessions:
            ffi.release(session)
        self.store.close()

    def do_start(self, call):
        fields = {name: value for name, value in call.items() if name not in ("do", "gives", "field")}
        out = ffi.new("tmon_session **")
        check(lib.tmon_session_start(out, self.store.handle, new_struct("tmon_session_options", no_drainer=True, hardware_json="{}", **fields)))
        self.sessions.append(ffi.gc(out[0], lib.tmon_session_free))
        self.ids.append(ffi.string(lib.tmon_session_id(out[0])).decode())
        self.metrics = {}

    def do_finish(self, call):
        check(lib.tmon_session_finish(self.session(call), STATUSES.index(call["status"])))

    def do_free(self, call):
        ffi.release(self.session(call))

    def do_set_error(self, call):
        check(lib.tmon_session_set_error(self.session(call), to_bytes(call["text"])))

    def do_flush(self, call):
        check(lib.tmon_session_flush(self.session(call)))

    # Logging

    def do_metric(self, call):
        out = ffi.new("tmon_metric *")
        check(lib.tmon_session_metric(out, self.session(call), to_bytes(call["key"]), ffi.NULL))
        self.metrics[call["key"]] = out[0]
        return out[0]

    def do_log(self, call):
        metric = self.metrics.get(call["key"]) or self.do_metric(call)
        check(lib.tmon_log(self.session(call), metric, int(call["step"]), float(call["value"])))

    def do_log_number(self, call):
        check(lib.tmon_log(self.session(call), call["metric"], int(call["step"]), call["value"]))

    def do_epoch(self, call):
        metrics = [self.metrics.get(key) or self.do_metric({"key": key, "run": call.get("run", -1)}) for key in call["values"]]
        values = [float(value) for value in call["values"].values()]
        row = new_struct("tmon_epoch", count=len(metrics), metrics=ffi.new("tmon_metric[]", metrics), values=ffi.new("double[]", values))
        check(lib.tmon_session_log_epoch(self.session(call), call["epoch"], row))

    def do_report(self, call):
        fields = {name: float(value) if name == "fraction" else value for name, value in call.items() if name not in ("do", "gives", "field")}
        check(lib.tmon_session_report(self.session(call), new_struct("tmon_progress", **fields)))

    def do_control(self, call):
        return CONTROLS[lib.tmon_session_control(self.session(call))]

    def do_request(self, call):
        check(lib.tmon_session_request(self.session(call), CONTROLS.index(call["control"])))

    def do_request_record(self, call):
        self.store.request(self.id_of(call), call["control"])

    # Rows

    def change(self, call):
        fields = {name: value for name, value in call.items() if name in ("name", "notes", "summary_json")}
        struct = new_struct("tmon_record_change", **fields, **dict.fromkeys(NOT_SAID, math.nan))
        if "status" in call:
            struct.set_status, struct.status = True, STATUSES.index(call["status"])
        return struct

    def do_create(self, call):
        id = ffi.new("char[37]")
        check(lib.tmon_record_create(id, self.store.handle, self.change(call)))
        self.ids.append(ffi.string(id).decode())

    def do_update(self, call):
        check(lib.tmon_record_update(self.store.handle, self.id_of(call).encode(), self.change(call)))

    def do_delete(self, call):
        self.store.delete(self.id_of(call))

    def do_row(self, call):
        keys = [ffi.new("char[]", key.encode()) for key in call["values"]]
        values = ffi.new("tmon_epoch_value[]", [{"key": key, "value": value} for key, value in zip(keys, call["values"].values(), strict=True)])
        check(lib.tmon_record_log_epoch(self.store.handle, self.id_of(call).encode(), call["epoch"], values, len(keys)))

    def do_event(self, call):
        step = call.get("step", -(2**63))
        check(lib.tmon_record_add_event(self.store.handle, self.id_of(call).encode(), call["kind"].encode(), call["message"].encode(), ffi.NULL, step))

    def do_alert(self, call):
        note = new_struct("tmon_alert_note", title=call["title"], text=call.get("text"), severity=call.get("severity"), step=call.get("step", -(2**63)))
        check(lib.tmon_alert_add(ffi.NULL, self.store.handle, self.id_of(call).encode(), note))

    def do_rules(self, call):
        check(lib.tmon_alert_set_rules(self.store.handle, self.id_of(call).encode(), call["json"].encode(), True))

    def do_result(self, call):
        row = json.dumps(call["row"])
        if self.ids:
            row = row.replace("$0", self.ids[0])
        check(lib.tmon_result_add(ffi.NULL, self.store.handle, KINDS[call["kind"]], row.encode()))

    def do_confusion(self, call):
        classes = call["classes"]
        options = new_struct("tmon_confusion", epoch=call["epoch"], class_count=len(classes), class_names=classes, class_groups=call.get("groups"),
                             counts=ffi.new("uint64_t[]", call["counts"]))
        check(lib.tmon_confusion_add(ffi.NULL, self.store.handle, self.id_of(call).encode(), options))

    # Reading

    def settle(self):
        for session in self.sessions:
            lib.tmon_session_flush(session)

    def do_record(self, call):
        return json.loads(json.dumps(self.store.run(self.id_of(call)).to_dict()))

    def do_points(self, call):
        return [[point[0], point[2]] for point in self.store.points(self.id_of(call), call["key"]).tolist()]

    def do_epochs(self, call):
        return self.store.epochs(self.id_of(call))

    def do_events(self, call):
        return [event for event in self.store.events(self.id_of(call)) if event["kind"] == call["kind"]]

    def do_alerts(self, call):
        return self.store.alerts(self.id_of(call))

    def do_results(self, call):
        return self.store.results(("validation_results", "confusion_matrices")[KINDS[call["kind"]]], self.id_of(call))

    def do_leaderboard(self, call):
        options = new_struct("tmon_leaderboard_options", **{name: value for name, value in call.items() if name in ("metric", "limit", "offset")})
        return json_call(lib.tmon_leaderboard_json, self.store.handle, options)

    def make(self, call):
        """Makes a call and holds what it gives against the table."""
        expected, error = call.get("gives", "TMON_OK"), None
        if "expect" in call and call["do"] != "control":
            self.settle()
        try:
            result = getattr(self, f"do_{call['do']}")(call)
        except trainmon.TrainmonError as failure:
            error = failure
        assert (error.name if error else "TMON_OK") == expected, f"{call}: {error}"
        if "field" in call:
            assert error.field == call["field"], f"{call}: {error}"
        if "expect" in call:
            agree(call["expect"], result, call["do"])


def agree(expected, found, place):
    """Holds a value against what is expected of it: of objects the named members, of all else everything; null may be missing."""
    if isinstance(expected, dict):
        for name, value in expected.items():
            agree(value, found.get(name), f"{place}.{name}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), f"{place}: {found} is not {expected}"
        for index, value in enumerate(expected):
            agree(value, found[index], f"{place}[{index}]")
    elif isinstance(expected, str) and not isinstance(found, str):
        assert repr(found) == expected, place
    else:
        assert found == expected, f"{place}: {found!r} is not {expected!r}"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_behaviour(case):
    runner = Runner()
    for call in case["calls"]:
        runner.make(call)
