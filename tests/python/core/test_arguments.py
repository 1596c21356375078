# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Arguments of init that are misspelt or wrong: what is said names them, shows what was found and tells what to do."""

import re
import subprocess
import sys
import uuid

import pytest

import trainmon


def start(**arguments):
    return trainmon.init(hardware=0, **arguments)


@pytest.mark.parametrize(("arguments", "told"), [
    ({"projects": "x"}, "no argument projects, 'x' is left out (did you mean 'project'?)"), ({"batchsize": 3}, "did you mean 'batch_size'?"),
    ({"lr": 0.1}, "no argument lr, 0.1 is left out; hyper-parameters belong in config={...}")])
def test_an_unknown_argument_is_one_warning(caplog, arguments, told):
    assert not start(**arguments).disabled
    (record,) = caplog.records
    assert told in record.message


def test_arguments_of_wandb_are_left_out_in_silence(caplog):
    run = start(entity="team", settings=object(), save_code=True, sync_tensorboard=True, anonymous="allow", learning_rate=0.1, epochs=None)
    assert not caplog.records
    assert run.store.run(run.id).learning_rate == 0.1


@pytest.mark.parametrize(("arguments", "field", "told"), [
    ({"config": [1, 2]}, "config", "config is [1, 2] (list), expected a dict"),
    ({"config": "cfg.yaml"}, "config", "config is 'cfg.yaml' (str), expected a dict or an object with attributes, not the name of a file"),
    ({"tags": 5}, "tags", "tags is 5, expected a text or a list"), ({"tags": ["fine", "ä" * 33]}, "tags", "has 66 bytes, expected 1 to 64"),
    ({"epochs": "many"}, "epochs", "epochs is 'many', expected a number"), ({"model_type": ["a"]}, "model_type", "model_type is ['a'], expected a text"),
    ({"resume": "yes"}, "resume", "resume is 'yes', expected True, False"), ({"resume": []}, "resume", "resume is [], expected"),
    ({"dir": 5}, "dir", "dir is 5, expected the path of a folder"), ({"rank": "first"}, "rank", "rank is 'first', expected a number"),
    ({"dashboard": "yes"}, "dashboard", "dashboard is 'yes', expected a number"), ({"hardware": -1}, "hardware", "hardware is -1, expected seconds, 0 or more"),
    ({"hardware": float("nan")}, "hardware", "hardware is nan, expected seconds"), ({"resume": "must"}, "resume", "give its id"),
    ({"mode": "of"}, "mode", "mode is 'of', expected one of online")])
def test_a_wrong_value_is_named(arguments, field, told):
    with pytest.raises(trainmon.InvalidError, match=re.escape(told)) as caught:
        trainmon.init(**{"hardware": 0, **arguments})
    assert trainmon.run is None
    assert (caught.value.field, caught.value.name) == (field, "TMON_EINVAL")


def test_a_wrong_mode_of_the_environment_is_named(monkeypatch):
    monkeypatch.setenv("TRAINMON_MODE", "disable")
    with pytest.raises(trainmon.InvalidError, match=r"TRAINMON_MODE is 'disable', expected one of .* \(did you mean 'disabled'\?\)"):
        start()


def test_long_notes_are_cut_with_a_warning(store, caplog):
    run = start(notes="ä" * 40_000)
    assert store.run(run.id).notes == "ä" * 32_768
    (record,) = caplog.records
    assert "notes has 80000 bytes, the first 65536 are kept" in record.message


def test_a_run_knows_whether_it_was_there_before():
    assert not start(id="mine").resumed
    trainmon.finish()
    assert start(id="mine").resumed
    trainmon.finish()
    assert not start(mode="disabled").resumed


def test_no_name_and_names_that_are_no_text(store):
    for name, expected in (("", None), (7, "7")):
        run = start(name=name)
        assert run.name == store.run(run.id).name == (expected or run.id[:8])
    number, five = uuid.uuid4(), start(id=5).id
    assert start(id=number).id == str(number) and start(id="5").id == five


@pytest.mark.parametrize(("resume", "told"), [(True, 1), ("auto", 1), ("allow", 0), (None, 0), (False, 0), ("never", 0)])
def test_resume_without_an_id(caplog, resume, told):
    assert not start(resume=resume).disabled
    assert len(caplog.records) == told and all("without an id starts a new run" in record.message for record in caplog.records)


def test_a_run_that_is_not_there_is_called_as_its_caller_did(store):
    with pytest.raises(trainmon.NotFoundError, match=r"no run 'nosuch run' in .*resume=\"allow\" starts it"):
        start(id="nosuch run", resume="must")
    named = start(name="mine")
    trainmon.finish()
    for said in ("mine", named.id[:8]):
        with pytest.raises(trainmon.NotFoundError, match=f"the run that '{said}' names elsewhere has the id {named.id}"):
            start(id=said, resume="must")


def test_a_live_run_is_told_with_its_process(caplog):
    program = "import sys, trainmon; trainmon.init(id='mine', hardware=0); print(flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        told = f"run 'mine' is still running in process {other.pid} on .*: stop it, or give another id"
        with pytest.raises(trainmon.TrainmonError, match=told):
            start(id="mine", resume="must")
        assert start(id="mine").disabled
        assert re.search(told, caplog.text)
        other.stdin.close()
    assert not start(id="mine", resume="must").disabled
    assert start(id="mine", reinit="create_new").disabled
    assert "still running in this process: finish it first" in caplog.text
