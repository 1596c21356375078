# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""What users get wrong with the callback and the logger: told when they are made or once in the training, which never raises."""

import logging

import digits
import numpy
import pytest
import torch

import trainmon
from trainmon.lightning import TrainMonCallback, TrainMonLogger


def told(caplog, text=""):
    """Gives the warnings that have a text."""
    return [record.getMessage() for record in caplog.records if record.name == "trainmon" and record.levelno >= logging.WARNING and text in record.getMessage()]


class Returns(digits.Common):
    """Gives what a test says of each validation batch."""

    give = staticmethod(lambda logits, target: None)

    def validation_step(self, batch, index):
        self.log("val_loss", torch.nn.functional.cross_entropy(self.net(batch[0]), batch[1]))
        return self.give(self.net(batch[0]), batch[1])


def fit(package, callback, give=None, data=None, **options):
    module = digits.module(package, Returns)
    if give is not None:
        module.give = give
    digits.trainer(package, callback, **options).fit(module, *(data or digits.loaders()))


def known(logits, target):
    return {"logits": logits, "target": target}


@pytest.mark.parametrize(("options", "error", "text"), [
    ({"run": "myproj"}, TypeError, r"run is 'myproj' \(str\), expected a trainmon.Run; did you mean project='myproj'\?"),
    ({"run": 3}, TypeError, r"run is 3 \(int\), expected a trainmon.Run$"),
    ({"critical": {"a": 99}}, ValueError, r"critical\['a'\] is 99, expected a sensitivity from 0 to 1"),
    ({"critical": ["a"]}, TypeError, r"critical is \['a'\] \(list\), expected a dict of class names and sensitivities"),
    ({"groups": {"odd": ["digit 1"]}}, TypeError, r"groups\['odd'\] is \['digit 1'\], expected the name of the group"),
    ({"every_seconds": -1}, ValueError, "every_seconds is -1, expected seconds, 0 or more"),
    ({"every_seconds": float("nan")}, ValueError, "every_seconds is nan"),
    ({"hardware": -1}, ValueError, "hardware is -1, expected seconds, 0 or more"),
    ({"hardware": "often"}, ValueError, "hardware is 'often'"),
    ({"class_names": "abc"}, TypeError, r"class_names is 'abc' \(str\), expected a list of names"),
    ({"class_names": 10}, TypeError, r"class_names is 10 \(int\)"),
])
def test_a_wrong_argument_is_refused_at_once(package, options, error, text):
    with pytest.raises(error, match=text):
        TrainMonCallback(**options)


def test_a_logger_refuses_a_run_that_is_none(package):
    with pytest.raises(TypeError, match="did you mean project='myproj'"):
        TrainMonLogger("myproj")


def test_what_is_allowed(package, caplog):
    TrainMonCallback(every_seconds=0, hardware=0, critical={"a": numpy.float32(1), "b": 0}, class_names=numpy.array(["a", "b"]))
    with trainmon.init(hardware=0) as run:
        assert TrainMonCallback(run).run is run
        assert TrainMonLogger(trainmon.init(mode="disabled", reinit="create_new")).session.loop.run.disabled
    assert not told(caplog)


def test_unknown_arguments_are_told_once_and_left_out(package, caplog, store):
    callback = TrainMonCallback(critica={"a": 0.9}, project="p")
    logger = TrainMonLogger(save_dir="x", quux=1)
    assert told(caplog) == ["TrainMonCallback: unknown argument 'critica' (did you mean 'critical'?); left out",
                            "TrainMonLogger: unknown arguments 'save_dir' (did you mean 'dir'?), 'quux'; left out"]
    fit(package, callback, known, logger=logger, max_epochs=1)
    assert len(told(caplog)) == 2
    assert store.runs()[0].tags == ["project:p"]


def test_a_class_that_is_none_is_told_once(package, caplog):
    fit(package, TrainMonCallback(critical={"digit3": 0.9, "digit 1": 0.5}, groups={"nosuch": "odd"}), known)
    names = ", ".join(digits.CLASSES)
    assert told(caplog) == [f"critical: no class is called 'digit3' (did you mean 'digit 3'?); there are: {names}; that condition will never have a value",
                            f"groups: no class is called 'nosuch'; there are: {names}"]


def test_a_class_that_is_none_where_the_data_have_no_names(package, caplog):
    data = [torch.utils.data.DataLoader(torch.utils.data.TensorDataset(*loader.dataset.tensors), 64) for loader in digits.loaders()]
    fit(package, TrainMonCallback(critical={"three": 0.9}), known, data)
    (warning,) = told(caplog)
    assert "critical: no class is called 'three'" in warning and "class 0, class 1" in warning


@pytest.mark.parametrize(("give", "found"), [
    (known, "10 classes"), (lambda logits, target: {"preds": logits.argmax(1), "target": target}, "the class number 9")])
def test_names_of_another_number_than_the_classes(package, caplog, give, found):
    fit(package, TrainMonCallback(class_names=["a", "b", "c"]), give)
    assert told(caplog) == [f"class_names has 3 names, and validation_step gives {found}"]


@pytest.mark.parametrize("options", [{"critical": {"digit 3": 0.9}}, {"class_names": digits.CLASSES}, {"confusion": True}], ids=lambda each: next(iter(each)))
def test_figures_that_are_asked_for_and_do_not_come(package, caplog, options):
    fit(package, TrainMonCallback(**options), lambda logits, target: {"logit": logits, "y": target})
    (warning,) = told(caplog)
    found = "validation_step returned a dict of 'logit' (Tensor), 'y' (Tensor),"
    assert warning.startswith(f"{next(iter(options))} needs figures of classes, and there are none: {found}")
    assert "(logits, probs," in warning and "(targets, target," in warning


def test_figures_that_nobody_asked_for_are_not_missed(package, caplog):
    fit(package, TrainMonCallback(), lambda logits, target: {"logit": logits, "y": target})
    fit(package, TrainMonCallback(confusion=False, critical={"mine": 0.9}), lambda logits, target: None)
    assert not told(caplog)


def test_a_validation_step_that_returns_nothing(package, caplog):
    fit(package, TrainMonCallback(critical={"digit 3": 0.9}))
    (warning,) = told(caplog)
    assert "validation_step returned nothing, expected a dict" in warning


def test_figures_that_the_script_gives_by_itself_are_not_missed(package, caplog):
    callback = TrainMonCallback(critical={"digit 3": 0.9})

    class Own(package.Callback):
        def on_validation_epoch_end(self, trainer, module):
            callback.run.log_validation(trainer.current_epoch, {"digit 3": {"sensitivity": 0.5}})

    digits.trainer(package, Own(), callback).fit(digits.module(package, Returns), *digits.loaders())
    assert not told(caplog)


class Entries(torch.utils.data.Dataset):
    """Digits as dicts."""

    def __init__(self, inner):
        self.inner = inner

    def __len__(self):
        return len(self.inner)

    def __getitem__(self, place):
        picture, label = self.inner[place]
        return {"picture": picture, "label": label}


class Named(digits.Common):
    """Takes dicts."""

    def training_step(self, batch, index):
        return super().training_step((batch["picture"], batch["label"]), index)


@pytest.mark.parametrize(("images", "count"), [("pictures", 1), ("picture", 0)])
def test_pictures_of_no_entry(package, caplog, store, images, count):
    loader = torch.utils.data.DataLoader(Entries(digits.loaders()[0].dataset), 64)
    digits.trainer(package, TrainMonCallback(images=images)).fit(digits.module(package, Named), loader)
    expected = "images is 'pictures', which the batch has no entry for (did you mean 'picture'?); there are: picture, label. Its first entry is shown"
    assert told(caplog) == [expected] * count
    assert digits.pictures(store, store.runs()[0].id, images)
