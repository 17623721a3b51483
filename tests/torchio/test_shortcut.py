"""An artifact on the subjects that a plan has marked, through TorchIO's own composition and its history."""

import numpy as np
import pytest
import torch
import torchio
from monai.transforms import RandGaussianNoise

from monai_freq.data import plan_shortcut
from monai_freq.torchio import ApplyShortcutTio, FourierLowPassTio, PhotonNoiseTio, RandPhotonNoiseTio
from monai_freq.transforms import ApplyShortcutd, FourierLowPass, PhotonNoise

VALUES = 100 * torch.rand(1, 12, 10, 4, generator=torch.Generator().manual_seed(0))
SCAN = {"n_photons": (1e5, 1e6), "n_angles": 8}


def subject(**entries):
    ct = torchio.ScalarImage(tensor=VALUES, affine=np.diag([2.0, 2, 3, 1]))
    return torchio.Subject(ct=ct, seg=torchio.LabelMap(tensor=(VALUES > 50).int()), **entries)


def test_the_marked_alone_are_altered_and_their_history_says_so():
    plan = plan_shortcut(
        [{"label": i % 2, "case": i} for i in range(8)], label_key="label", label=1, fraction=0.5, seed=0
    )
    apply = ApplyShortcutTio(FourierLowPassTio(cutoff=0.2))
    for entries in plan:
        after = apply(subject(**entries))
        assert len(after.history) == entries["shortcut"]
        expected = FourierLowPass(0.2)(VALUES) if entries["shortcut"] else VALUES
        assert torch.equal(after.ct.data, expected)
        assert torch.equal(after.seg.data, (VALUES > 50).int())
    assert sum(entries["shortcut"] for entries in plan) == 2


def test_the_history_repeats_the_artifact():
    before = subject(shortcut=True)
    after = torchio.Compose([ApplyShortcutTio(RandPhotonNoiseTio(**SCAN)), torchio.Flip(axes=0)])(before)
    assert [type(step) for step in after.history] == [PhotonNoiseTio, torchio.Flip]
    assert torch.equal(after.get_composed_history()(before).ct.data, after.ct.data)


def test_static_is_the_same_each_time_and_leaves_the_generator_alone():
    apply = ApplyShortcutTio(RandPhotonNoiseTio(**SCAN), static=True)
    state = torch.get_rng_state()
    torch.manual_seed(1)
    first, after = apply(subject(shortcut=True)), torch.rand(1)
    torch.manual_seed(2)
    assert torch.equal(apply(subject(shortcut=True)).ct.data, first.ct.data)
    other = ApplyShortcutTio(RandPhotonNoiseTio(**SCAN), static=True, seed=1)(subject(shortcut=True))
    assert not torch.equal(other.ct.data, first.ct.data)
    torch.manual_seed(1)
    torch.rand(1)  # of TorchIO's own coin
    assert torch.equal(torch.rand(1), after)
    torch.set_rng_state(state)


def test_not_static_is_another_each_time():
    apply = ApplyShortcutTio(RandPhotonNoiseTio(**SCAN))
    assert not torch.equal(apply(subject(shortcut=True)).ct.data, apply(subject(shortcut=True)).ct.data)


def test_a_shortcut_that_is_not_there_is_told_once():
    apply, marked = ApplyShortcutTio(torchio.Clamp(out_min=-1)), subject(shortcut=True, case=3)
    apply(subject(shortcut=False, case=3))
    with pytest.warns(UserWarning, match="'Clamp' has left a marked subject as it was.*with case=3"):
        apply(marked)
    apply(marked)  # warnings are errors here


def test_an_artifact_that_makes_no_copy_is_seen_to_act():
    after = ApplyShortcutTio(FourierLowPassTio(cutoff=0.2, copy=False))(subject(shortcut=True))
    assert torch.equal(after.ct.data, FourierLowPass(0.2)(VALUES))


def test_what_may_not_act_is_told_when_it_is_made():
    with pytest.warns(UserWarning, match="RandomNoise acts with a probability of 0.5.*\nPass p=1"):
        apply = ApplyShortcutTio(torchio.RandomNoise(p=0.5))
    for _ in range(8):
        apply(subject(shortcut=True))


def test_wrong_arguments_are_refused():
    with pytest.raises(TypeError, match=r"must be a transform of TorchIO.*got.*\n.*MonaiAdapter"):
        ApplyShortcutTio(RandGaussianNoise(prob=1.0))
    with pytest.raises(ValueError, match="'seed'"):
        ApplyShortcutTio(torchio.RandomNoise(), seed=-1)
    with pytest.raises(KeyError, match="no mark 'shortcut'"):
        ApplyShortcutTio(torchio.RandomNoise())(subject())
    with pytest.raises(ValueError, match="'shortcut' must be True or False, got 'yes'"):
        ApplyShortcutTio(torchio.RandomNoise())(subject(shortcut="yes"))


def test_a_subject_of_labels_alone_passes():
    labels = torchio.Subject(seg=torchio.LabelMap(tensor=torch.ones(1, 4, 4, 4)), shortcut=True)
    assert ApplyShortcutTio(torchio.RandomNoise())(labels).history == []


def test_through_the_adapter_there_is_the_same_artifact_and_no_history():
    before = subject(shortcut=True)
    adapted = torchio.MonaiAdapter(ApplyShortcutd("ct", PhotonNoise(n_photons=1e5, n_angles=8), static=True))
    first, again = adapted(before), adapted(before)
    assert torch.equal(first.ct.data, again.ct.data)
    assert first.history == []
    assert torch.equal(first.seg.data, before.seg.data)
