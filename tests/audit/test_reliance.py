"""Networks of known bands rely on these, and on nothing else; an untrained one on nothing."""

import dataclasses
import json
import math

import numpy as np
import pytest
import torch
from monai.networks.nets import resnet10
from torch import nn

from monai_freq.audit import AuditModel, Cases, load_model
from monai_freq.audit.model.edits import SpectrumEdits, usual_bands
from monai_freq.audit.model.experiments import Experiment
from monai_freq.audit.model.reliance import reliance, used_band
from monai_freq.errors import DataError
from monai_freq.spectral.band_grid import BandGrid

SIZE = 32
#: the last band has the corners of the spectrum
FINE = BandGrid((0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.75))


def radius():
    return np.hypot(np.fft.fftfreq(SIZE)[:, None], np.fft.rfftfreq(SIZE))


def filtered(images, low, high):
    """By numpy, as a reference."""
    kept = (radius() > low * (1 + 1e-6)) & (radius() <= high * (1 + 1e-6))
    spectrum = np.fft.rfft2(images.numpy()) * kept
    return torch.from_numpy(np.fft.irfft2(spectrum, s=images.shape[-2:])).float()


@pytest.fixture(scope="module")
def data():
    """Noise, and in class 1 a pattern with the same energy at each frequency."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(240, 1, SIZE, SIZE, generator=generator)
    spectrum = torch.fft.rfft2(torch.randn(1, SIZE, SIZE, generator=generator))
    template = torch.fft.irfft2(spectrum / spectrum.abs(), s=(SIZE, SIZE))
    template = template / template.std()
    images[1::2] += 0.2 * template
    return Cases.of_arrays(images, labels=[k % 2 for k in range(240)]), template


def of_band(template, low, high):
    return AuditModel(lambda x: (filtered(x, low, high) * template).sum((1, 2, 3))[:, None] / 20)


@pytest.mark.parametrize(("low", "high"), [(0.1, 0.25), (0.2, 0.4), (0.0, 0.15)])
def test_the_edges_of_a_filter_are_found_within_one_band(data, low, high):
    cases, template = data
    found = reliance(of_band(template, low, high), cases, FINE, kinds=("remove",), batch_size=16, progress=False)
    assert found.above_chance
    assert found.moved == (low, high)
    for true, each in zip((low, high), found.used, strict=True):
        assert abs(FINE.edges.index(true) - FINE.edges.index(each)) <= 1
    for each in found.experiments:
        outside = each.high_edge <= low or each.low_edge >= high
        assert (each.moved < 1e-4) == outside
        if outside:
            assert (each.drop, each.drop_low, each.drop_high) == pytest.approx((0, 0, 0), abs=1e-9)


def test_cuts_take_what_lies_beyond_them(data):
    cases, template = data
    found = reliance(
        of_band(template, 0.1, 0.25), cases.subset(60), FINE, kinds=("low-pass", "high-pass"), progress=False
    )
    for each in found.experiments:
        edge = each.low_edge if each.kind == "low-pass" else each.high_edge
        whole = edge >= 0.25 if each.kind == "low-pass" else edge <= 0.1
        assert (each.moved < 1e-4) == whole
    gone = [each for each in found.experiments if each.kind == "low-pass" and each.low_edge <= 0.1]
    assert all(each.value == pytest.approx(0.5) for each in gone)  # nothing is left: one answer for all


def test_edits_are_those_of_numpy():
    image = torch.randn(2, SIZE, SIZE, generator=torch.Generator().manual_seed(0)) * 3 + 5
    edits = SpectrumEdits(image, FINE)
    mean = image.mean((1, 2), keepdim=True)
    torch.testing.assert_close(edits.removed([2]), image - filtered(image, 0.1, 0.15), atol=1e-4, rtol=0)
    torch.testing.assert_close(edits.cut("low", 0.1), mean + filtered(image, 0, 0.1), atol=1e-4, rtol=0)
    torch.testing.assert_close(edits.cut("high", 0.1), mean + filtered(image, 0.1, 1), atol=1e-4, rtol=0)


def test_amplitudes_and_phases_are_those_of_the_other_image():
    images = torch.randn(2, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    images = (images - images.mean((2, 3), keepdim=True)) / images.std((2, 3), keepdim=True, correction=0)
    one, other = images
    edits = SpectrumEdits(one, FINE)
    inside = (radius() > 0.1) & (radius() <= 0.15)
    spectra = [np.fft.rfft2(each[0].double().numpy()) for each in (one, other)]
    for kind, amplitude, phase in (("amplitude", spectra[1], spectra[0]), ("phase", spectra[0], spectra[1])):
        found = np.fft.rfft2(edits.exchanged(kind, [2], edits.spectrum_of(other * 7 + 3))[0].double().numpy())
        wanted = np.where(inside, np.abs(amplitude) * np.exp(1j * np.angle(phase)), spectra[0])
        np.testing.assert_allclose(found, wanted, atol=2e-3)


def test_an_exchange_is_with_an_image_of_another_label(data):
    """Class 1 has a wave; its amplitudes in class 0, and the other way round, turn the answers around."""
    images = torch.randn(60, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    wave = torch.cos(2 * math.pi * 8 * torch.arange(SIZE) / SIZE).expand(SIZE, SIZE)
    images[1::2] += 2 * wave
    cases = Cases.of_arrays(images, labels=["no", "yes"] * 30)

    def energy(x):
        return (torch.fft.rfft2(x)[:, 0, 0, 8].abs() / SIZE**2 - 0.5)[:, None] * 20

    found = reliance(
        AuditModel(energy), cases, BandGrid((0, 0.2, 0.3, 0.75)), kinds=("amplitude", "phase"), progress=False
    )
    drops = {(each.kind, each.low_edge): each.drop for each in found.experiments}
    assert found.reference == 1
    assert drops[("amplitude", 0.2)] == pytest.approx(1, abs=0.02)
    others = [drop for key, drop in drops.items() if key != ("amplitude", 0.2)]
    assert others == pytest.approx([0] * 5, abs=0.02)


def test_an_untrained_network_relies_on_nothing(data):
    cases, _ = data
    build = lambda: resnet10(spatial_dims=2, n_input_channels=1, num_classes=2, widen_factor=0.125)  # noqa: E731
    torch.manual_seed(1)
    found = reliance(load_model(build(), network=build), cases.subset(48), kinds=("remove",), progress=False)
    assert (found.above_chance, found.used) == (False, None)
    assert found.untrained_reference_low < 0.5 < found.untrained_reference_high
    assert all(each.untrained_low <= 0 <= each.untrained_high for each in found.experiments)


def test_it_is_the_same_again_and_whatever_the_batches(data):
    cases, template = data
    model = of_band(template, 0.1, 0.25)
    first, again, other = (
        reliance(model, cases.subset(12), FINE, batch_size=size, n_resamples=50, progress=False) for size in (4, 4, 7)
    )
    assert first == again
    for one, two in zip(first.experiments, other.experiments, strict=True):
        assert one.drop == pytest.approx(two.drop, abs=1e-6)
    json.dumps(dataclasses.asdict(first), allow_nan=False)


def test_a_run_goes_on_where_it_was_stopped(data, tmp_path):
    cases, template = data
    asked, limit = [], 10**9

    def network(x):
        asked.append(len(x))
        if len(asked) > limit:
            raise KeyboardInterrupt
        return (filtered(x, 0.1, 0.25) * template).sum((1, 2, 3))[:, None] / 20

    few, settings = cases.subset(20), {"kinds": ("remove",), "progress": False, "output_dir": tmp_path}
    whole = reliance(AuditModel(network, activation="sigmoid"), few, FINE, **settings)
    per_case = len(asked) // 20
    asked.clear()
    assert reliance(AuditModel(network, activation="sigmoid"), few, FINE, **settings) == whole
    assert len(asked) == per_case  # the first case again, which tells whether the network is the same
    other = AuditModel(lambda x: (x * template).sum((1, 2, 3))[:, None])
    assert reliance(other, few, FINE, **settings) != whole
    with np.load(tmp_path / "steps/reliance.npz") as kept:
        assert len(kept["rows"]) == 20


def test_of_a_segmenter_the_overlap_counts():
    """A threshold of the local mean needs low frequencies alone."""
    generator = torch.Generator().manual_seed(0)
    reference = torch.zeros(12, 1, SIZE, SIZE)
    for k in range(12):
        reference[k, 0, 6 + k : 16 + k, 8:22] = 1
    images = reference * 2 + torch.randn(12, 1, SIZE, SIZE, generator=generator)
    smooth = nn.AvgPool2d(5, 1, 2, count_include_pad=False)
    model = AuditModel(lambda x: torch.cat([1 - smooth(x), smooth(x) - 1], 1) * 5, "segmentation", ("none", "box"))
    cases = Cases.of_arrays(images, segmentations=list(reference))
    found = reliance(model, cases, BandGrid((0, 0.1, 0.3, 0.75)), kinds=("remove", "phase"), progress=False)
    drops = [each.drop for each in found.experiments if each.kind == "remove"]
    assert (found.metric, found.classes, found.above_chance) == ("dice", ("box",), None)
    assert found.reference > 0.85
    assert drops[0] > 0.3 > 0.05 > abs(drops[2])
    assert found.experiments[0].by_class[0].drop == pytest.approx(drops[0])
    distances = reliance(model, cases, BandGrid((0, 0.1, 0.75)), kinds=("remove",), metric="hd95", progress=False)
    assert not distances.higher_is_better
    assert distances.experiments[0].drop > 1


def test_of_volumes_and_bands_in_mm():
    images = torch.randn(8, 1, 8, 12, 16, generator=torch.Generator().manual_seed(0))
    cases = Cases.of_arrays(images, labels=[0, 1] * 4, spacing=(2.0, 1.0, 1.0))
    model = AuditModel(lambda x: x.mean((2, 3, 4)))
    found = reliance(model, cases, BandGrid((0, 0.1, 0.5), "mm"), progress=False, n_resamples=20)
    assert found.unit == "cycles per mm"
    assert all(each.moved == pytest.approx(0, abs=1e-5) for each in found.experiments if each.kind != "phase")


def test_the_used_band_joins_removals_and_cuts():
    def experiment(kind, low, high, drop):
        nothing = dict.fromkeys(("value", "low", "high", "moved", "moved_low", "moved_high"))
        return Experiment(
            kind, "", low, high, drop=drop, drop_low=drop - 0.1, drop_high=drop + 0.1, n_cases=9, **nothing
        )

    edges = (0.0, 0.1, 0.2, 0.3, 0.75)
    assert used_band([experiment("remove", 0.1, 0.2, 0.3), experiment("remove", 0.2, 0.3, 0.05)], edges) == (0.1, 0.2)
    cuts = [experiment("low-pass", 0.1, None, 0.3), experiment("low-pass", 0.2, None, 0.2)]
    cuts += [experiment("high-pass", 0.0, 0.2, 0.3), experiment("high-pass", 0.0, 0.1, 0.0)]
    assert used_band(cuts, edges) == (0.1, 0.3)


def test_what_cannot_be_measured_is_refused(data):
    cases, template = data
    with pytest.raises(ValueError, match="'kinds' must be"):
        reliance(of_band(template, 0, 1), cases, kinds=("blur",))
    with pytest.raises(ValueError, match="'metric' of a classification"):
        reliance(of_band(template, 0, 1), cases, metric="dice")
    with pytest.raises(DataError, match="no label"):
        reliance(of_band(template, 0, 1), Cases.of_arrays(torch.rand(2, 1, SIZE, SIZE)), progress=False)
    with pytest.raises(ValueError, match="must be 2 or 3"):
        usual_bands(4)


def test_an_edit_that_two_experiments_share_is_made_once():
    images = torch.randn(6, 1, 24, 24, generator=torch.Generator().manual_seed(0))
    cases, seen = Cases.of_arrays(images, labels=[0, 1] * 3), []

    def network(x):
        seen.append(len(x))
        return x[:, :, ::2].mean((2, 3))

    whole = reliance(
        AuditModel(network, activation="sigmoid"), cases, kinds=("remove", "low-pass", "high-pass"), progress=False
    )
    n_shared = sum(seen) / len(cases)
    seen.clear()
    apart = reliance(AuditModel(network, activation="sigmoid"), cases, kinds=("low-pass", "high-pass"), progress=False)
    assert n_shared == 1 + 6 + 4 + 4
    assert sum(seen) / len(cases) == 1 + 5 + 5
    cuts = [each for each in whole.experiments if each.kind != "remove"]
    assert [each.moved for each in cuts] == [each.moved for each in apart.experiments]
