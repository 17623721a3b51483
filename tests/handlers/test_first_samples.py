"""The first samples of an epoch: so many and no more, as the network gets them, and only where they are wanted."""

import random

import numpy as np
import torch
from ignite.engine import Engine
from monai.data import MetaTensor
from monai.engines import SupervisedEvaluator
from random_states import global_states
from torch import nn

from monai_freq.handlers.first_samples import FirstSamples


def batches_of(*sizes):
    generator = torch.Generator().manual_seed(0)
    return [(torch.rand(n, 1, 4, 5, generator=generator), torch.arange(n)) for n in sizes]


def samples_of(batches, most, wanted=lambda engine: True, **settings):
    samples = FirstSamples(most, wanted)
    engine = Engine(lambda engine, batch: None)
    for name, value in settings.items():
        setattr(engine, name, value)
    samples.attach(engine)
    engine.run(batches, max_epochs=2)
    return samples


def test_they_are_the_first_and_no_more():
    batches = batches_of(3, 4, 2)
    for most in (1, 3, 5, 9, 20):
        samples = samples_of(batches, most).take()
        for name, place in (("images", 0), ("labels", 1)):
            found = torch.cat([batch[place] for batch in samples])
            assert torch.equal(found, torch.cat([batch[place] for batch in batches])[:most]), name


def test_none_is_kept_where_none_is_wanted_or_after_they_are_taken():
    batches = batches_of(2, 2)
    assert samples_of(batches, 3, lambda engine: engine.state.epoch == 1).take() == []  # the second epoch starts anew
    samples = samples_of(batches, 3, lambda engine: engine.state.epoch == 2)
    assert [len(images) for images, _ in samples.take()] == [2, 1]
    assert samples.take() == []


def test_a_batch_that_is_not_wanted_may_be_anything():
    assert samples_of([None, 3, {"t1": 0}], 3, lambda engine: False).take() == []


def test_an_engines_settings_are_passed_on_to_its_prepare_batch():
    calls = []

    def prepare(batch, device, blocking, **kwargs):
        calls.append((device, blocking, kwargs))
        return batch[0].double(), batch[1], (), {}

    samples = samples_of(batches_of(2), 2, prepare_batch=prepare, non_blocking=True, to_kwargs={"copy": True})
    assert calls == [(None, True, {"copy": True})] * 2
    assert samples.take()[0][0].dtype == torch.float64


def test_a_random_prepare_batch_of_another_engine_leaves_the_global_states_alone():
    def noisy(batch, device, blocking):
        return batch[0] + torch.rand(1) + np.random.rand() + random.random(), batch[1]

    before = global_states()
    assert samples_of(batches_of(2), 2, prepare_batch=noisy).take()
    assert global_states() == before


def test_of_monais_engines_they_are_what_the_network_got():
    samples = FirstSamples(8, lambda engine: True)
    evaluator = SupervisedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=[{"image": MetaTensor(images), "label": labels} for images, labels in batches_of(2, 3)],
        network=nn.Identity(),
        prepare_batch=lambda batch, *args, **kwargs: (batch["image"] + 1, batch["label"]),
        to_kwargs={"dtype": torch.float64},
    )
    samples.attach(evaluator)
    evaluator.run()
    for (images, labels), (before, expected) in zip(samples.take(), batches_of(2, 3), strict=True):
        assert type(images) is torch.Tensor
        assert torch.equal(images, before + 1)
        assert torch.equal(labels, expected)
