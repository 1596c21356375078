# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""A store that is not there, or can't be one: every command names the true cause, and `serve` makes none out of a slip."""

import json
import os
import subprocess

import pytest
from conftest import PROGRAM, record_run
from test_serve import serving

# As a user whose rights count, also where the tests are root's.
BOUND = ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if os.getuid() == 0 else ()


@pytest.fixture
def places(tmp_path):
    """A store, and next to it what is none."""
    record_run("one", [0.5])
    (tmp_path / "afile").touch()
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").touch()
    (tmp_path / "closed").mkdir(0)
    yield tmp_path
    (tmp_path / "closed").chmod(0o700)


def run_bound(*words):
    done = subprocess.run([*BOUND, *PROGRAM, *words], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout, done.stderr


CAUSES = [("afile", "it is a file"), ("afile/below", "afile is a file"), ("trainmon/trainmon.db", "is the database of a store"),
          ("dangling", "a link to nowhere"), ("closed", "this user may not enter"), ("closed/below", "this user may not enter")]


@pytest.mark.parametrize(("place", "cause"), CAUSES)
def test_the_true_cause(places, place, cause):
    if place.startswith("closed") and BOUND and subprocess.run([*BOUND, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("root can't give up its rights here")
    for words in (("runs",), ("show", "one"), ("serve", "--port", "0"), ("backup", "copy")):
        code, _, said = run_bound(*words, "--store", place, "--json")
        assert code == 1 and cause in json.loads(said)["error"], (words, said)
        assert "a training makes it" not in said and json.loads(said)["hint"]
    code, out, _ = run_bound("doctor", "--store", place, "--json", "--port", "65001")
    check = next(check for check in json.loads(out)["checks"] if check["name"] == "store")
    assert code == 1 and check["status"] == "fail" and cause in check["found"] and check["advice"]


def test_near_matches_of_a_store(cli, places):
    assert f"did you mean {places}/trainmon?" in cli("runs", "--store", "trainmno").err
    assert f"did you mean {places}/trainmon?" in cli("runs", "--store", ".").err
    assert "a training makes it" in cli("runs", "--store", "other").err
    assert "has no trainmon.db" in cli("runs", "--store", "full").err
    assert "did you mean" in cli("doctor", "--store", "trainmno", "--port", "65001").out


def test_serve_makes_no_store_out_of_a_slip(cli, places):
    for words in (("trainmno",), ("--store", "trainmno"), ("full",), ("other", "--open"), (".",)):
        done = cli("serve", "--port", "0", *words)
        assert (done.code, done.out) == (1, "") and "no store" in done.err, words
    assert "mkdir -p other" in cli("serve", "other").err and f"did you mean {places}/trainmon?" in cli("serve", "trainmno").err
    assert not (places / "trainmno").exists() and not (places / "other").exists() and os.listdir(places / "full") == ["notes.txt"]
    assert not (places / "trainmon.db").exists()


@pytest.mark.parametrize("words", [(), ("empty",)])
def test_serve_before_the_first_training(tmp_path, words):
    (tmp_path / "empty").mkdir()
    with serving(*words, "--port", "0") as (process, url):
        assert url.startswith("http://")
        process.terminate()
        assert "there is no store at" in process.stderr.read() and (tmp_path / (*words, "trainmon")[0] / "trainmon.db").exists()
