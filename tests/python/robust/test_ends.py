# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""How a script can end, and what the store says of it. Every script here leaves a live run behind."""

import mmap
import os
import random
import signal
import statistics
import struct
import sys
import time

import pytest
import script

import trainmon

BEGIN = """
import os, signal, sys, threading, time, trainmon
run = trainmon.init()
run.log({"a": 1})
"""

ENDS = {
    "falls off the end": ("", 0, "completed", None),
    "sys.exit()": ("sys.exit()", 0, "completed", None),
    "sys.exit(0)": ("sys.exit(0)", 0, "completed", None),
    "sys.exit(3)": ("sys.exit(3)", 3, "failed", "SystemExit: 3"),
    "sys.exit with a text": ("sys.exit('no data')", 1, "failed", "SystemExit: no data"),
    "sys.exit in a thread": ("threading.Thread(target=sys.exit, args=(3,)).start()", 0, "completed", None),
    "exception": ("raise ValueError('bad')", 1, "failed", "ValueError: bad"),
    "exception without text": ("""
class Odd(Exception):
    def __str__(self): raise RuntimeError
raise Odd
""", 1, "failed", "Odd: ?"),
    "exception in a thread": ("""
thread = threading.Thread(target=lambda: 1 / 0)
thread.start()
thread.join()
run.log({"a": 2})
""", 0, "completed", None),
    "exception that was caught": ("""
try:
    1 / 0
except ZeroDivisionError:
    pass
""", 0, "completed", None),
    "Ctrl-C": ("os.kill(os.getpid(), signal.SIGINT); time.sleep(5)", -signal.SIGINT, "cancelled", "interrupted by the keyboard"),
    "SIGTERM": ("os.kill(os.getpid(), signal.SIGTERM); time.sleep(5)", -signal.SIGTERM, "interrupted", None),
    "SIGTERM with a handler that exits": ("""
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
os.kill(os.getpid(), signal.SIGTERM)
time.sleep(5)
""", 143, "failed", "SystemExit: 143"),
    "os._exit": ("os._exit(0)", 0, "interrupted", None),
    "abort": ("os.abort()", -signal.SIGABRT, "interrupted", None),
    "hook set after": ("""
sys.excepthook = lambda *error: print("mine", file=sys.stderr)
raise ValueError("bad")
""", 1, "failed", "ValueError: bad"),
    "finish says more": ("run.finish(exit_code=2); sys.exit(0)", 0, "failed", None),
    "the module's function": ("trainmon.finish(); raise ValueError", 1, "completed", None),
    "a thread still runs": ("""
def work():
    time.sleep(0.3)
    run.log({"a": 2})
threading.Thread(target=work).start()
""", 0, "completed", None),
    "a daemon thread logs": ("""
def work():
    while True:
        run.log({"b": 2})
threading.Thread(target=work, daemon=True).start()
time.sleep(0.1)
""", 0, "completed", None),
}


@pytest.mark.parametrize("name", ENDS)
def test_status(name):
    code, expected_code, status, text = ENDS[name]
    ended, _, err = script.train(BEGIN + code)
    assert ended == expected_code, err
    record = script.record()
    assert (record.status, record.error_text) == (status, text)
    assert script.points("a")[0] == (0, 1)
    if name == "a thread still runs":
        assert script.points("a") == [(0, 1), (1, 2)]


def test_hooks_of_others_run():
    """A hook that was there before the import, and one set after it."""
    code, _, err = script.train("""
        import sys
        sys.excepthook = lambda kind, *_: print("before", kind.__name__, file=sys.stderr)
        import trainmon
        trainmon.init()
        raise ValueError
    """)
    assert (code, err) == (1, "before ValueError\n")
    assert script.record().status == "failed"


def test_ipython():
    """IPython shows exceptions by itself and calls no sys.excepthook."""
    pytest.importorskip("IPython")
    code, _, err = script.train("""
        import sys
        from IPython.core.interactiveshell import InteractiveShell
        shell = InteractiveShell.instance(history_length=0)
        shell.run_cell("import trainmon; run = trainmon.init()")
        shell.run_cell("1 / 0")
    """, environment={"IPYTHONDIR": os.getcwd()})
    assert code == 0, err
    assert script.record().error_text == "ZeroDivisionError: division by zero"


def test_order_at_exit():
    """What runs at exit after us finds the run ended, what runs before us may still log."""
    code, _, err = script.train("""
        import atexit
        atexit.register(lambda: print(run.finished, run.log({"a": 3})))
        import multiprocessing
        import trainmon
        atexit.register(lambda: print(run.finished, run.log({"a": 2})))
        run = trainmon.init()
        run.log({"a": 1})
        multiprocessing.get_context("fork").Pool(1)  # its exit function is what matters; from 3.14 on fork is no default
    """)
    assert code == 0, err
    assert script.points("a") == [(0, 1), (1, 2)]
    assert script.record().status == "completed"


def seconds_to_exit(code, store):
    """From the last line of a script to its end."""
    process = script.start(code + "\nos.write(1, b'x')\n", environment={"TRAINMON_DIR": store})
    process.stdout.read(1)
    begin = time.monotonic()
    process.wait()
    seconds = time.monotonic() - begin
    process.communicate()
    return seconds


def test_exit_is_quick(memory):
    """Held against the same script without a run, so that Python's own share is out. The store is in memory: Linux ends no process whose write goes on.

    What else runs on the machine may hold up either script, so it is measured again when it was too much; a process that waits does so each time.
    """
    live_code = BEGIN + "for step in range(20000):\n    run.log({'a': step, 'b': step})"
    store = memory + "/store"
    for _ in range(5):
        pairs = [(seconds_to_exit("import os, trainmon", store), seconds_to_exit(live_code, store)) for _ in range(15)]
        bare, live = map(statistics.median, zip(*pairs, strict=True))
        print(f"exit: {1000 * bare:.0f} ms without a run, {1000 * live:.0f} ms with one")
        if live - bare <= 0.1:
            break
    assert live - bare <= 0.1
    with trainmon.Store(store) as opened:
        assert {record.status for record in opened.runs()} == {"completed"}


@pytest.mark.parametrize("start", range(200 if os.environ.get("LONG") == "1" else 20))
def test_killed_at_any_time(start):
    """Every step whose call returned is there: the script counts them in a file that outlives it. It waits once a slow disk has it drop points."""
    with open("count", "wb") as file:
        file.write(bytes(8))
    process = script.start("""
        import mmap, struct, time, trainmon
        with open("count", "r+b") as file:
            count = mmap.mmap(file.fileno(), 8)
        run = trainmon.init()
        step = 0
        while True:
            run.log({"a": step, "b": -step})
            if run.dropped:
                time.sleep(60)
            step += 1
            count[:] = struct.pack("q", step)  # pack_into clears the place first, and a kill may come between
            if step == 1:
                print(flush=True)
    """)
    process.stdout.readline()
    time.sleep(random.Random(start).random() * (1.5 if start % 2 else 0.02))
    process.kill()
    process.communicate()
    with open("count", "r+b") as file:
        count = struct.unpack("q", mmap.mmap(file.fileno(), 8))[0]
    store = trainmon.Store("trainmon")
    record = script.record(store)
    assert record.status == "interrupted" and count > 0
    for name, sign in (("a", 1), ("b", -1)):
        found = script.points(name, record.id, store)
        assert len(found) in (count, count + 1)
        assert found == [(step, sign * step) for step in range(len(found))]


def test_warnings_as_errors():
    code, out, err = script.train("""
        import time, trainmon
        trainmon.current.LOCK_SECONDS = 30  # a slow disk is no matter here
        with trainmon.init(config={"a": 1}) as run:
            run.log({"a": 1, "b": 2})
            run.log_epoch(0, {"a": 1})
            run.alert("x")
        store = trainmon.Store("trainmon")
        for _ in range(6000):
            if store.run(run.id).status != "running":
                break
            time.sleep(0.01)
        print(store.run(run.id).status, len(store.points(run.id, "a")))
        store.close()
    """, options=("-X", "dev", "-W", "error"))
    assert (code, out, err) == (0, "completed 1\n", "")


def test_subinterpreters():
    """From Python 3.12 on cffi's modules refuse to be loaded there: an ImportError, no crash, and the run beside it goes on."""
    code, out, err = script.train("""
        import sys
        import trainmon
        try:
            import _interpreters as interpreters
        except ImportError:
            import _xxsubinterpreters as interpreters
        run = trainmon.init()
        other = interpreters.create()
        try:
            print("refused" if interpreters.run_string(other, "import trainmon") else "loaded")
        except Exception as error:
            print("refused" if "ImportError" in str(error) else error)
        interpreters.destroy(other)
        run.log({"a": 1})
    """)
    assert code == 0, err
    assert out == ("refused\n" if sys.version_info >= (3, 12) else "loaded\n"), err
    assert script.record().status == "completed" and script.points("a") == [(0, 1)]
