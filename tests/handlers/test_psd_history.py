"""Densities over epochs: what was added comes out again, of the file too, and nothing else is taken for such a file."""

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from torch import nn

from monai_freq.handlers import PSDHistory
from monai_freq.handlers.psd_history import KINDS
from monai_freq.spectral.learning_priority import learning_priority
from monai_freq.spectral.psd import band_shares, centroid, overlap, radial_psd

K = np.linspace(0, 0.5, 9)


def densities(seed, n=5, kinds=("images", "gradients")):
    random = np.random.default_rng(seed)
    return {kind: random.random((n, len(K))) for kind in kinds}


def history_of(epochs, **settings):
    history = PSDHistory(K)
    for epoch in epochs:
        history.add(epoch, densities(epoch, **settings))
    return history


def assert_same(actual, expected):
    assert (actual.epochs, actual.samples, actual.kinds) == (expected.epochs, expected.samples, expected.kinds)
    np.testing.assert_array_equal(actual.frequencies, expected.frequencies)
    for kind in expected.kinds:
        np.testing.assert_array_equal(actual.mean[kind], expected.mean[kind])
        np.testing.assert_array_equal(actual.sd[kind], expected.sd[kind])


def test_mean_and_sd_are_over_samples():
    history = PSDHistory(K)
    history.add(4, densities(0, n=6))
    history.add(9, densities(1, n=1))
    assert (history.epochs, history.samples, history.kinds) == ([4, 9], [6, 1], ("images", "gradients"))
    for kind, rows in densities(0, n=6).items():
        np.testing.assert_allclose(history.mean[kind][0], rows.sum(0) / 6)
        np.testing.assert_allclose(history.sd[kind][0], np.sqrt(((rows - rows.mean(0)) ** 2).sum(0) / 5))
        assert (history.sd[kind][1] == 0).all()


def test_scalars_are_those_of_the_last_epoch():
    history = history_of([1, 2])
    density, against = densities(2)["gradients"].mean(0), np.random.default_rng(5).random(len(K))
    frequencies, mean = torch.from_numpy(K), torch.from_numpy(density)
    expected = {f"{name} share": float(share) for name, share in band_shares(frequencies, mean).items()}
    expected["centroid"] = float(centroid(frequencies, mean))
    assert history.scalars("gradients") == pytest.approx(expected)
    expected["overlap"] = float(overlap(mean, torch.from_numpy(against)))
    assert history.scalars("gradients", against) == pytest.approx(expected)
    assert sum(expected[f"{band} share"] for band in ("low", "mid", "high")) == pytest.approx(1)


@pytest.mark.parametrize("epochs", [[1], [1, 2, 3], [10, 20]])
@pytest.mark.parametrize("kinds", [("gradients",), ("images", "gradients"), tuple(KINDS)])
def test_a_file_gives_back_what_was_saved(tmp_path, epochs, kinds):
    history = history_of(epochs, kinds=kinds)
    path = tmp_path / "runs" / "psd.npz"
    history.save(path)
    assert_same(PSDHistory.load(path), history)
    assert_same(PSDHistory.load(str(path)), history)
    assert [file.name for file in path.parent.iterdir()] == ["psd.npz"]


def test_the_file_is_plain_arrays(tmp_path):
    history_of([2, 4, 6]).save(tmp_path / "psd.npz")
    with np.load(tmp_path / "psd.npz", allow_pickle=False) as file:
        assert set(file) == {
            *("frequencies", "norm", "epochs", "samples"),
            *("images_mean", "images_sd", "gradients_mean", "gradients_sd"),
        }
        assert file["epochs"].tolist() == [2, 4, 6]
        assert file["images_mean"].shape == (3, len(K))


def test_a_loaded_history_goes_on(tmp_path):
    history_of([1, 2]).save(tmp_path / "psd.npz")
    history = PSDHistory.load(tmp_path / "psd.npz")
    history.add(3, densities(3))
    assert_same(history, history_of([1, 2, 3]))


@pytest.mark.parametrize(("epoch", "kept"), [(0, []), (1, []), (2, [1]), (3, [1]), (4, [1, 3]), (9, [1, 3])])
def test_before_an_epoch(epoch, kept):
    history = history_of([1, 3])
    earlier = history.before(epoch)
    assert (earlier.epochs, earlier.samples) == (kept, [5] * len(kept))
    for kind, rows in earlier.mean.items():
        assert all(map(np.array_equal, rows, history.mean[kind]))
        assert len(rows) == len(earlier.sd[kind]) == len(kept)
    earlier.add(9, densities(9))
    assert_same(history, history_of([1, 3]))  # which is another one


def test_the_old_file_is_whole_until_the_new_one_is(tmp_path, monkeypatch):
    path = tmp_path / "psd.npz"
    history_of([1]).save(path)
    before = path.read_bytes()

    def full_disk(file, **arrays):
        file.write(b"half an archive")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full_disk)
    with pytest.raises(OSError, match="No space left"):
        history_of([1, 2]).save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_curves_and_heat_maps_can_be_redrawn(tmp_path):
    history_of([1, 2, 5], kinds=tuple(KINDS)).save(tmp_path / "psd.npz")
    history = PSDHistory.load(tmp_path / "psd.npz")
    for kind in history.kinds:
        curve = history.curve(kind, place=1, others={"artifact": K})
        means = [line.get_ydata() for line in curve.axes[0].lines if line.get_label() == "mean"]
        np.testing.assert_array_equal(means, [densities(2, kinds=tuple(KINDS))[kind].mean(0)[1:]])
        assert curve.axes[0].get_title() == f"{KINDS[kind].title}, epoch 2, n = 5"
        assert curve.axes[0].get_yscale() == ("log" if KINDS[kind].logarithmic else "linear")
        assert "epoch 5" in history.curve(kind).axes[0].get_title()
        (quads,) = history.heat_map(kind).axes[0].collections
        assert np.size(quads.get_array()) == 3 * (len(K) - 1)


def truncated(path):
    history_of([1, 2]).save(path)
    path.write_bytes(path.read_bytes()[:-100])


def flipped(path):
    history_of([1, 2]).save(path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


def one_array(path):
    with path.open("wb") as file:
        np.save(file, K)


def ragged(path):
    history = history_of([1, 2])
    history.epochs = [1, 2, 3]
    history.save(path)


def of_samples(path):
    history = history_of([1, 2])
    history.samples = [5]
    history.save(path)


def of_frequencies(path):
    history = history_of([1, 2])
    history.frequencies = K[1:]
    history.save(path)


NO_LOG = {
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("not an archive"),
    "truncated": truncated,
    "one bit in another state": flipped,
    "one array": one_array,
    "other arrays": lambda path: np.savez(path, weights=K),
    "objects": lambda path: np.savez(path, frequencies=np.array([{}])),
    "no densities": lambda path: np.savez(path, frequencies=K, epochs=np.array([1]), samples=np.array([5])),
    "other numbers of epochs": ragged,
    "other numbers of samples": of_samples,
    "other numbers of frequencies": of_frequencies,
}


@pytest.mark.parametrize("write", NO_LOG.values(), ids=NO_LOG)
def test_other_files_are_refused(tmp_path, write):
    path = tmp_path / "psd.npz"
    write(path)
    with pytest.raises(ValueError, match=r"psd.npz is no log of power spectrum densities: "):
        PSDHistory.load(path)


def test_a_missing_file_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        PSDHistory.load(tmp_path / "psd.npz")


@pytest.mark.parametrize(
    ("epoch", "given", "message"),
    [
        (2, densities(0), "'epoch' must be later than 2, got 2"),
        (1, densities(0), "'epoch' must be later than 2, got 1"),
        (3, {}, r"'densities' must be of \['gradients', 'images'\] as before, got \[\]"),
        (3, densities(0, kinds=("images",)), r"\['gradients', 'images'\] as before, got \['images'\]"),
        (3, densities(0, kinds=KINDS), r"as before, got \['artifact', 'gradients', 'images'\]"),
        (3, densities(0, n=0), r"must have the shape \(n > 0, 9\), 'images' has \(0, 9\)"),
        (3, densities(0) | {"gradients": np.ones((4, 9))}, r"must have the shape \(5, 9\), 'gradients' has \(4, 9\)"),
        (3, densities(0) | {"images": np.ones((5, 8))}, r"must have the shape \(5, 9\), 'images' has \(5, 8\)"),
        (3, densities(0) | {"images": np.ones(9)}, r"'images' has \(9,\)"),
    ],
)
def test_what_does_not_fit_is_refused_and_leaves_the_history_alone(epoch, given, message):
    history = history_of([1, 2])
    with pytest.raises(ValueError, match=message):
        history.add(epoch, given)
    assert_same(history, history_of([1, 2]))


def priority(n=4, size=16, dtype=torch.float32):
    network = nn.Sequential(nn.Flatten(), nn.Linear(size * size, 4), nn.Tanh(), nn.Linear(4, 2)).to(dtype)
    images = torch.rand(n, 1, size, size, dtype=dtype)
    return learning_priority(network, nn.CrossEntropyLoss(), images, torch.arange(n) % 2)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("pair", [False, True])
def test_what_learning_priority_returns_is_taken(tmp_path, dtype, pair):
    frequencies, density = priority(dtype=dtype)
    history = PSDHistory(frequencies)
    history.add(1, {"gradients": (frequencies, density) if pair else density})
    history.add(2, {"gradients": density[:1]})
    np.testing.assert_allclose(history.mean["gradients"], [density.double().mean(0), density[0].double()])
    np.testing.assert_allclose(history.sd["gradients"][0], density.double().std(0), rtol=1e-9)
    assert (history.epochs, history.samples) == ([1, 2], [4, 1])
    history.save(tmp_path / "psd.npz")
    assert_same(PSDHistory.load(tmp_path / "psd.npz"), history)


TAKEN = {
    "tracked": lambda x: x.clone().requires_grad_(),
    "half": torch.Tensor.half,
    "bfloat16": torch.Tensor.bfloat16,
    "integers": torch.Tensor.int,
    "transposed": lambda x: x.T.contiguous().T,
    "inference": lambda x: torch.inference_mode()(torch.clone)(x),
    "MetaTensor": MetaTensor,
    "numpy of half": lambda x: x.numpy().astype(np.float16),
    "big-endian": lambda x: x.numpy().astype(">f4"),
    "a list": torch.Tensor.tolist,
    "conjugated": lambda x: (x + 0j).conj().real,
    "negated": lambda x: torch.complex(torch.zeros_like(x), -x).to(torch.complex128).conj().imag,  # a view with a sign
}


@pytest.mark.parametrize("as_given", TAKEN.values(), ids=TAKEN)
def test_a_density_is_an_array_or_a_tensor_of_any_kind(as_given):
    density = torch.arange(18.0).reshape(2, 9)
    history = PSDHistory(K)
    given = as_given(density)
    history.add(0, {"images": given})
    assert history.mean["images"][0].tolist() == density.mean(0).tolist()
    assert history.mean["images"][0].dtype == history.sd["images"][0].dtype == np.float64


@pytest.mark.parametrize("size", [1.7e308, 1e200, 1e-300])
def test_numbers_of_any_size_have_a_mean_and_an_sd(size):
    history = PSDHistory(K)
    history.add(0, {"images": size * np.outer([1.0, 0.5, 0.75], np.ones(len(K)))})
    np.testing.assert_allclose(history.mean["images"][0] / size, 0.75)
    np.testing.assert_allclose(history.sd["images"][0] / size, 0.25)


def test_what_was_added_is_a_copy():
    history, density = PSDHistory(K), np.ones((1, 9))
    history.add(0, {"images": density})
    density[:] = 7
    assert (history.mean["images"][0] == 1).all()


@pytest.mark.cuda
def test_what_is_on_a_gpu_is_taken():
    history = PSDHistory(torch.from_numpy(K).cuda())
    history.add(0, {"images": torch.ones(2, 9, device="cuda", requires_grad=True)})
    assert history.mean["images"][0].tolist() == [1] * 9


BAD = densities(0)


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize(
    ("epoch", "given", "error", "message"),
    [
        (3.5, BAD, ValueError, "'epoch' must be an integer from 0, got 3.5"),
        (True, BAD, ValueError, "'epoch' must be an integer from 0, got True"),
        (-1, BAD, ValueError, "'epoch' must be an integer from 0, got -1"),
        ("3", BAD, ValueError, "'epoch' must be an integer from 0"),
        (3, tuple(BAD.values()), TypeError, "'densities' must be kind -> density, got tuple"),
        (
            3,
            BAD | {"gradients": BAD["gradients"] * np.nan},
            ValueError,
            "finite and not negative, 'gradients' of epoch",
        ),
        (3, BAD | {"gradients": torch.full((5, 9), -1.0)}, ValueError, "must be finite and not negative, 'gradients'"),
        (3, BAD | {"gradients": torch.ones(5, 9) * 1j}, ValueError, "'gradients' must be real numbers, got complex"),
        (3, BAD | {"gradients": np.full((5, 9), "a")}, ValueError, "'gradients' must be real numbers, got <U1"),
        (3, BAD | {"gradients": torch.tensor(1.0)}, ValueError, r"must have the shape \(n > 0, 9\)"),
        (3, BAD | {"gradients": torch.ones(5, 2, 9)}, ValueError, r"'gradients' has \(5, 2, 9\)"),
        (3, BAD | {"gradients": None}, ValueError, "'gradients' must be real numbers, got object"),
        (
            3,
            BAD | {"gradients": radial_psd(torch.rand(5, 17, 17), spatial_dims=2)},
            ValueError,
            "'gradients' must be over the frequencies of the history, got 9 to 0.471 and 9 to 0.5",
        ),
        (
            3,
            BAD | {"gradients": radial_psd(torch.rand(5, 16, 16), (1.0, 1.0), spatial_dims=2)},
            ValueError,
            "got cycles per mm",
        ),
        (3, BAD | {"images": (None, np.ones((5, 9)))}, ValueError, "'frequencies' must be real numbers, got object"),
        (
            3,
            BAD | {"images": (np.ones(0), np.ones((5, 0)))},
            ValueError,
            "'frequencies' must have a frequency at least",
        ),
        (3, BAD | {"images": (K[None], np.ones((5, 9)))}, ValueError, "'frequencies' must be rising from 0 in one dim"),
        (3, BAD | {"images": (torch.tensor(0.5), np.ones((5, 9)))}, ValueError, "'frequencies' must be rising from 0"),
        (3, BAD | {"images": (K + 0j, np.ones((5, 9)))}, ValueError, "'frequencies' must be real numbers, got complex"),
        (
            3,
            BAD | {"images": (K,)},
            ValueError,
            r"'images' must be a density, or \(frequencies, density\), got a tuple of 1",
        ),
        (3, BAD | {"images": (K, K, K)}, ValueError, "'images' must be a density, or .* got a tuple of 3"),
        (3, BAD | {"images": torch.ones(5, 9).to_sparse()}, ValueError, "'images' must be a dense tensor, got"),
    ],
)
def test_an_addition_that_fails_changes_nothing(epoch, given, error, message, first):
    epochs = [] if first else [1, 2]
    history = history_of(epochs)
    with pytest.raises(error, match=message):
        history.add(epoch, given)
    assert_same(history, history_of(epochs))
    history.add(4, densities(4))
    assert_same(history, history_of([*epochs, 4]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((K / 3,), "'frequencies' must end at 0.5 cycles per voxel"),
        ((K[::-1],), "'frequencies' must be rising from 0"),
        ((K[:0],), "'frequencies' must have a frequency at least, got none"),
        ((torch.tensor([0, 0.5j]),), "'frequencies' must be real numbers, got complex64"),
        ((radial_psd(torch.rand(16, 16), (1.0, 1.0), spatial_dims=2)[0],), "got cycles per mm"),
        ((K, "both"), "'norm' must be one of backward, ortho, forward, got 'both'"),
    ],
)
def test_a_history_of_other_frequencies_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        PSDHistory(*arguments)


@pytest.mark.parametrize(
    ("norm", "unit"), [("backward", "mean |F|"), ("ortho", "mean |F| / √voxels"), ("forward", "mean |F| / voxels")]
)
def test_the_norm_is_kept_and_written_on_the_axis(tmp_path, norm, unit):
    history = PSDHistory(K, norm)
    history.add(1, densities(1))
    history.save(tmp_path / "psd.npz")
    for one in (history, PSDHistory.load(tmp_path / "psd.npz"), history.before(9)):
        assert one.norm == norm
        assert one.curve("images").axes[0].get_ylabel() == unit
        assert one.curve("gradients").axes[0].get_ylabel() == "density, 0 to 1 per sample"


def test_a_density_of_another_kind_is_refused():
    with pytest.raises(ValueError, match=r"must be of \['artifact', 'gradients', 'images'\], got \['gradient'\]"):
        PSDHistory(K).add(1, {"gradient": np.ones((2, 9))})


def test_the_first_epoch_needs_a_density():
    with pytest.raises(ValueError, match=r"'densities' must be of a kind at least, got \[\]"):
        PSDHistory(K).add(1, {})
