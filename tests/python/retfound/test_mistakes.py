# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""What users get wrong: settings, folders, images, weights. Each is one clear line and status 2."""

import logging
import shutil
import subprocess
import sys

import numpy
import pytest
import torch
from conftest import CONFIG, environment, run
from PIL import Image
from retfound import config
from retfound.classifier import Classifier, from_checkpoint, start_from
from retfound.cli.main import main
from retfound.data.folder import Images, collate, scan
from retfound.data.prepare import SOURCE, prepare, read_idx
from retfound.errors import RetfoundError
from retfound.train import train
from sklearn.datasets import load_digits


@pytest.mark.parametrize(("line", "told"), [
    ("training: {epochs: 0}", "training.epochs is 0, expected 1 or more"),
    ("training: {epochs: many}", "training.epochs is 'many', expected a whole number"),
    ("training: {epoch: 3}", "unknown key training.epoch"),
    ("data: {channels: 2}", "data.channels is 2, expected 1 or 3"),
    ("data: {val_fraction: 1}", "data.val_fraction is 1.0, expected between 0 and 1"),
    ("model: {type: resnet}", "model.type is 'resnet', expected cnn or vit"),
    ("critical_thresholds: {RAO: 99}", "critical_thresholds is {'RAO': 99}, expected a number from 0 to 1 for RAO"),
    ("groups: {fundus: RAO}", "expected a list of class names for fundus"),
    ("monitoring: {classes: 3}", "monitoring.classes is 3, expected true or false"),
    ("- a list", "expected keys and values, found list"),
    ("a: [", "is no YAML"),
])
def test_a_wrong_setting_is_named(tmp_path, line, told):
    (tmp_path / "c.yaml").write_text(line)
    with pytest.raises(RetfoundError) as raised:
        config.load(tmp_path / "c.yaml")
    assert told in str(raised.value)


def test_both_files_of_the_example_are_right(place):
    eyes = config.load("configs/fundus_oct.yaml")
    assert eyes["critical_thresholds"] == {"RAO": 0.99, "RVO": 0.97, "Retinal_Detachment": 0.99}
    assert eyes.group_of(["RAO", "OCT_DME", "other"]) == {"RAO": "fundus", "OCT_DME": "OCT"}
    assert config.load(CONFIG, ["training.epochs=2"])["training.epochs"] == 2


def test_the_program_tells_and_ends_with_2(capsys, tmp_path):
    assert main(["train", "--config", "nowhere.yaml"]) == 2
    assert capsys.readouterr().err == "train: config nowhere.yaml: No such file or directory\n"
    assert main(["train", "--data", "nowhere"]) == 2
    assert "data.folder nowhere: no such folder" in capsys.readouterr().err
    (tmp_path / "one" / "only").mkdir(parents=True)
    Image.new("L", (8, 8)).save(tmp_path / "one" / "only" / "a.png")
    assert main(["train", "--data", "one"]) == 2
    assert "1 class with images, expected 2 or more" in capsys.readouterr().err
    assert main(["train", "--epochs", "0"]) == 2
    assert "training.epochs is 0" in capsys.readouterr().err
    assert main(["evaluate", "--checkpoint", "nowhere.ckpt"]) == 2
    assert "no such file of weights" in capsys.readouterr().err


def test_help_is_quick_and_complete():
    command = [sys.executable, "-X", "importtime", "-m", "retfound.cli.main", "train", "--help"]
    out = subprocess.run(command, env=environment(), capture_output=True, text=True, check=True)
    assert all(option in out.stdout for option in ("--config", "--enable-monitoring", "--init", "--resume", "--epochs", "--data", "--set"))
    assert "| torch" not in out.stderr


def test_broken_images_are_left_out_and_counted(tmp_path, images, caplog):
    for name in ("digit_0", "digit_1"):
        shutil.copytree(images / name, tmp_path / "some" / name)
    (tmp_path / "some" / "digit_0" / "text.png").write_text("no picture")
    (tmp_path / "some" / "digit_1" / "empty.jpg").write_bytes(b"")
    (tmp_path / "some" / "digit_1" / "notes.txt").write_text("not looked at")
    found = scan(tmp_path / "some")
    assert [path.name for path in found.broken] == ["text.png", "empty.jpg"]
    assert (len(found.train), len(found.val)) == (24, 6)
    Image.fromarray(numpy.random.default_rng(1).integers(0, 255, (64, 64, 3), numpy.uint8)).save(tmp_path / "cut.jpg")
    whole = (tmp_path / "cut.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[:len(whole) // 2])  # its head is right: it shows when it is decoded
    items = Images([(tmp_path / "cut.jpg", 0), found.train[0]], 28, 1)
    with caplog.at_level(logging.WARNING, "retfound"):
        assert collate([items[0], items[1]])[0].shape == (1, 1, 28, 28)
    assert "cut.jpg is left out" in caplog.text
    assert collate([None]) is None


def test_the_split_is_seeded_and_by_class(images):
    one, same, other = scan(images, 0.2, 1), scan(images, 0.2, 1), scan(images, 0.2, 2)
    assert one == same
    assert one.val != other.val
    assert [sum(number == i for _, number in one.val) for i in range(20)] == [3] * 20
    assert not {path for path, _ in one.train} & {path for path, _ in one.val}


def test_a_split_that_is_given(tmp_path, images):
    for split, name in (("train", "digit_0"), ("train", "digit_1"), ("val", "digit_1")):
        shutil.copytree(images / name, tmp_path / "given" / split / name)
    found = scan(tmp_path / "given")
    assert (found.classes, len(found.train), len(found.val)) == (["digit_0", "digit_1"], 30, 15)
    shutil.copytree(images / "digit_2", tmp_path / "given" / "val" / "digit_2")
    with pytest.raises(RetfoundError, match="val/ has classes that train/ has not: digit_2"):
        scan(tmp_path / "given")


def test_the_images_are_the_real_ones(images):
    labels = read_idx(SOURCE / "train-labels-idx1-ubyte.gz")
    pixels = read_idx(SOURCE / "train-images-idx3-ubyte.gz")
    for path in sorted((images / "fashion_bag").iterdir())[:5]:
        assert labels[int(path.stem)] == 8
        assert (numpy.asarray(Image.open(path)) == pixels[int(path.stem)]).all()
    assert {load_digits().target[int(path.stem)] for path in (images / "digit_7").iterdir()} == {7}
    with pytest.raises(RetfoundError, match="dataset-fashion-mnist"):
        prepare("x", 1, "/nowhere")


@pytest.mark.parametrize("kind", ["cnn", "vit"])
def test_weights_that_fit_are_taken_and_others_not(tmp_path, kind):
    """A head for other classes begins anew; plain weights and checkpoints of nn.DataParallel go too; code in a file is never run."""
    old, new = Classifier(["a", "b", "c"], kind=kind, width=16), Classifier(["a", "b"], kind=kind, width=16)
    torch.save({f"module.{name}": value for name, value in old.net.state_dict().items()}, tmp_path / "w.pt")
    count, whole = start_from(new, tmp_path / "w.pt")
    assert count == whole - 2
    first = next(iter(old.net.state_dict()))
    assert torch.equal(new.net.state_dict()[first], old.net.state_dict()[first])
    torch.save({"other": torch.zeros(3)}, tmp_path / "other.pt")
    with pytest.raises(RetfoundError, match="none of its 1 weights fits"):
        start_from(new, tmp_path / "other.pt")
    torch.save(subprocess.Popen, tmp_path / "code.pt")
    with pytest.raises(RetfoundError, match="can't be read as weights"):
        start_from(new, tmp_path / "code.pt")
    with pytest.raises(RetfoundError, match="no checkpoint of this program"):
        from_checkpoint(tmp_path / "w.pt")


def test_a_checkpoint_of_other_classes_or_at_its_end_does_not_go_on(place, tmp_path):
    """The same with evaluate; --init is the way."""
    torch.save({"hyper_parameters": {"classes": ["a", "b"]}, "epoch": 4, "state_dict": {}}, tmp_path / "c.ckpt")
    with pytest.raises(RetfoundError, match="use --init"):
        train(config.load(CONFIG), resume=tmp_path / "c.ckpt")
    names = sorted(path.name for path in (place / "data" / "v6.1").iterdir())
    torch.save({"hyper_parameters": {"classes": names}, "epoch": 4}, tmp_path / "c.ckpt")
    with pytest.raises(RetfoundError, match=r"has 5 epochs.*nothing is left to do"):
        train(config.load(CONFIG), resume=tmp_path / "c.ckpt")


def test_the_logger_is_a_child_of_ours():
    import retfound.monitoring  # noqa: F401

    logger = logging.getLogger("retfound.monitoring")
    assert logger.parent is logging.getLogger("trainmon")
    logging.getLogger("retfound")
    assert logger.parent is logging.getLogger("trainmon")


def test_the_server_tells_what_is_wrong(place):
    _, err = run("retfound.monitoring.server", "--port", "99999", status=2)
    assert "99999" in err
