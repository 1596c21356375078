# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Worker processes: whatever they do with the run they got, the run of the parent is as if they were not there."""

import os
import time

import pytest
import script

import trainmon

LOADER = """
    import sys
    import torch
    import torch.multiprocessing
    import trainmon

    class Digits(torch.utils.data.Dataset):
        def __init__(self, run):
            self.run = run
        def __len__(self):
            return 16
        def __getitem__(self, index):
            self.run.log({"worker": index})
            self.run.config["worker"] = index
            self.run.alert("worker")
            trainmon.log({"worker": index})
            assert self.run.should_stop is False
            return torch.tensor(float(index))

    if __name__ == "__main__":
        run = trainmon.init(config={"lr": 1})
        method, keep = sys.argv[1] if len(sys.argv) > 1 else METHOD, KEEP
        loader = torch.utils.data.DataLoader(Digits(run), batch_size=4, num_workers=2, multiprocessing_context=method, persistent_workers=keep)
        step = 0
        for epoch in range(2):
            for batch in loader:
                run.log({"loss": float(batch.sum())}, step=step)
                step += 1
        assert step == 8
"""


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_data_loader(method, keep):
    pytest.importorskip("torch")
    code, _, err = script.train(LOADER.replace("METHOD", repr(method)).replace("KEEP", repr(keep)))
    assert code == 0, err
    found = script.record()
    assert (found.status, found.config, found.error_text) == ("completed", {"lr": 1}, None)
    assert script.points("loss") == [(step, 6.0 + 16 * (step % 4)) for step in range(8)]
    store = trainmon.Store("trainmon")
    assert "worker" not in store.metrics(found.id) and store.alerts(found.id) == []


def test_children_that_collect_and_end():
    code, _, err = script.train("""
        import gc, os, sys, trainmon
        run = trainmon.init()
        cycle = [run]
        cycle.append(cycle)
        for step in range(20):
            run.log({"a": step})
            child = os.fork()
            if child == 0:
                run.log({"a": 100})
                run.config["a"] = 1
                run.event("a")
                run.flush()
                copy = trainmon.init(dir="trainmon")      # the parent has it open: nothing is recorded, nothing is broken
                assert copy.disabled
                del run, cycle
                trainmon.finish()
                gc.collect()
                sys.exit(0) if step % 2 else os._exit(0)  # with and without atexit
            assert os.waitpid(child, 0)[1] == 0
        run.log({"a": 20})
    """)
    assert code == 0, err
    assert script.record().status == "completed"
    assert script.points("a") == [(step, step) for step in range(21)]


def test_pool():
    code, out, err = script.train("""
        import multiprocessing, trainmon
        def work(number):
            trainmon.log({"worker": number})
            return number * number
        if __name__ == "__main__":
            run = trainmon.init()
            for method in ("fork", "spawn", "forkserver"):
                with multiprocessing.get_context(method).Pool(2) as pool:
                    for number, square in enumerate(pool.imap(work, range(20))):
                        run.log({method: square}, step=number)
            print("end")
    """)
    assert (code, out) == (0, "end\n"), err
    assert script.record().status == "completed"
    for method in ("fork", "spawn", "forkserver"):
        assert script.points(method) == [(number, number * number) for number in range(20)]


def test_a_child_outlives_its_killed_parent():
    process = script.start("""
        import os, time, trainmon
        run = trainmon.init()
        run.log({"a": 1})
        child = os.fork()
        if child == 0:
            time.sleep(600)
            os._exit(0)
        print(child, flush=True)
        time.sleep(600)
    """)
    child = int(process.stdout.readline())
    try:
        process.kill()
        process.wait()
        end = time.monotonic() + 60
        store = trainmon.Store("trainmon")
        while script.record(store).status == "running" and time.monotonic() < end:
            time.sleep(0.02)
        assert script.record(store).status == "interrupted"
        os.kill(child, 0)  # it does live
        assert script.points("a") == [(0, 1)]
    finally:
        os.kill(child, 9)


def test_two_runs_at_once_and_one_after_another():
    code, _, err = script.train("""
        import trainmon
        first = trainmon.init(name="first")
        second = trainmon.init(name="second", reinit="create_new")
        for step in range(100):
            first.log({"a": step})
            second.log({"a": -step})
        third = trainmon.init(name="third")
        assert second.finished and not first.finished
        trainmon.log({"a": 7})
    """)
    assert code == 0, err
    store = trainmon.Store("trainmon")
    runs = {run.name: run for run in store.runs()}
    assert {name: run.status for name, run in runs.items()} == dict.fromkeys(("first", "second", "third"), "completed")
    assert script.points("a", runs["first"].id, store) == [(step, step) for step in range(100)]
    assert script.points("a", runs["second"].id, store) == [(step, -step) for step in range(100)]
    assert script.points("a", runs["third"].id, store) == [(0, 7)]


def test_threads_log_at_once():
    code, _, err = script.train("""
        import threading, trainmon
        run = trainmon.init()
        def work(number):
            for step in range(5000):
                run.log({f"thread/{number}": step, "all": number}, step=step)
        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        [thread.start() for thread in threads]
    """)
    assert code == 0, err
    store = trainmon.Store("trainmon")
    found = script.record(store).id
    for number in range(8):
        assert script.points(f"thread/{number}", found, store) == [(step, step) for step in range(5000)]
    everything = script.points("all", found, store)
    assert sorted(everything) == sorted((step, number) for step in range(5000) for number in range(8))


def test_a_copy_of_a_run():
    """Models are copied and pickled with all that they refer to."""
    import copy
    import pickle

    run = trainmon.init(config={"lr": 1})
    assert copy.deepcopy({"run": run})["run"] is run and copy.copy(run) is run
    other = pickle.loads(pickle.dumps(run))
    assert other.disabled and other.config.lr == 1
    changed = copy.deepcopy(run.config)
    changed.lr = 2
    run.finish()
    assert script.record().config == {"lr": 1}
