"""Graphs of networks, run at sizes that they were not made from; the network itself is the reference."""

import logging

import numpy as np
import pytest
import torch
from backbones import ARMS, CLASSES, FEATURES, channels, unet, wrap
from monai.networks import nets
from torch import nn

from monai_freq.networks import FrequencyFusion, export, export_onnx, export_program

#: odd and even, larger and smaller than what a graph is made from, and longer along another axis
SIZES = [(33, 47, 5), (64, 101, 6), (90, 41, 3)]
#: where the low band is the mean alone, which a program refuses
SMALL = [(17, 16, 5), (5, 3, 1)]

# of onnxscript and of torch's tracer; ours raise no warning
pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning",
    "ignore::FutureWarning",
    "ignore::UserWarning:onnxscript",
    "ignore::torch.jit.TracerWarning",
)


def segmenter(dims):
    """Of any size."""
    conv = (nn.Conv2d, nn.Conv3d)[dims - 2]
    return nn.Sequential(conv(FEATURES, CLASSES, 3, padding=1), nn.Tanh())


def classifier(dims):
    conv, pool = (nn.Conv2d, nn.Conv3d)[dims - 2], (nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d)[dims - 2]
    return nn.Sequential(conv(FEATURES, 5, 3, padding=1), nn.Tanh(), pool(1), nn.Flatten(), nn.Linear(5, CLASSES))


def images(network, size, batch=1):
    return torch.rand(batch, network.in_channels * (2 if network.presplit else 1), *size[: network.spatial_dims])


def run(session, image):
    return torch.from_numpy(session.run(None, {"image": image.numpy()})[0])


def session_of(path):
    onnxruntime = pytest.importorskip("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(path, options)


def assert_same(result, expected):
    torch.testing.assert_close(result, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("dims", "fusion", "settings"),
    [
        (2, "none", {}),
        pytest.param(2, "late", {"theta": 0.3}, marks=pytest.mark.slow),
        pytest.param(3, "early", {"axes": (0, 2)}, marks=pytest.mark.slow),
        pytest.param(2, "early", {"convention": "equation1"}, marks=pytest.mark.slow),
        pytest.param(2, "late", {"task": "classification"}, marks=pytest.mark.slow),
        pytest.param(3, "late", {"convention": "released"}, marks=pytest.mark.slow),
        pytest.param(2, "early", {"presplit": True}, marks=pytest.mark.slow),
        pytest.param(2, "early", {"convention": "released", "theta": 0.05}, marks=pytest.mark.slow),
        pytest.param(2, "late", {"convention": "equation1"}, marks=pytest.mark.slow),
        pytest.param(3, "none", {}, marks=pytest.mark.slow),
        pytest.param(3, "early", {"convention": "equation1", "axes": (0, 1, 2)}, marks=pytest.mark.slow),
        pytest.param(3, "late", {}, marks=pytest.mark.slow),
        pytest.param(3, "early", {"task": "classification"}, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_a_graph_is_of_every_size(dims, fusion, settings, tmp_path, monkeypatch):
    torch.manual_seed(0)
    build = classifier if settings.get("task") == "classification" else segmenter
    network = wrap(build(dims), dims, fusion, **settings).train()
    program = export_program(network, (32, 24, 30)[:dims])
    assert network.training
    monkeypatch.setattr(export, "export_program", lambda *given, **settings: program)
    file = export_onnx(network, tmp_path / "new" / "network.onnx", (32, 24, 30)[:dims])
    assert [path.name for path in file.parent.iterdir()] == ["network.onnx"]
    session, module = session_of(file), program.module()
    network.eval()
    for batch, size in enumerate(SIZES, start=1):
        image = images(network, size, batch)
        with torch.no_grad():
            expected = network(image)
            if settings.get("axes", (0, 1)) == (0, 1):  # the last of the axes is short
                assert_same(module(image), expected)
        assert_same(run(session, image), expected)
    for size in SMALL:
        image = images(network, size)
        assert_same(run(session, image), network(image).detach())
    network.train()(images(network, SIZES[0], 2).requires_grad_()).sum().backward()  # no traced basis was kept


@pytest.mark.slow
def test_a_graph_holds_for_the_sizes_that_its_backbone_takes_and_fails_at_others(tmp_path):
    torch.manual_seed(0)
    network = wrap(unet(2), 2, "late").eval()
    session = session_of(export_onnx(network, tmp_path / "network.onnx", (32, 32)))
    for size in [(36, 48), (100, 64), (16, 20)]:
        image = images(network, size, 2)
        assert_same(run(session, image), network(image).detach())
    with pytest.raises(Exception, match="cannot be reshaped"):
        run(session, images(network, (33, 47)))


def test_a_backbone_of_one_size_is_exported_for_it(tmp_path):
    transformer = nets.UNETR(
        FEATURES, CLASSES, 32, spatial_dims=2, feature_size=4, hidden_size=8, mlp_dim=8, num_heads=2
    )
    network = wrap(transformer, 2, "early").eval()
    with pytest.raises(ValueError, match=r"(?s)\(UNETR\) has no graph for any size .*dynamic=False.* 32x32 alone"):
        export_program(network, (32, 32))
    image = images(network, (32, 32))
    module = export_program(network, (32, 32), dynamic=False).module()
    with torch.no_grad():
        assert_same(module(image), network(image))
    with pytest.raises(Exception, match="32"):
        module(images(network, (48, 48)))


@pytest.mark.parametrize("convention", ["figure2", "equation1", "released"])
@pytest.mark.parametrize("fusion", ARMS)
@pytest.mark.parametrize("dims", [2, 3])
def test_torchscript_by_tracing_is_of_every_size(dims, fusion, convention):
    torch.manual_seed(0)
    network = wrap(segmenter(dims), dims, fusion, convention=convention).eval()
    traced = torch.jit.trace(network, images(network, (32, 48, 24)))
    for size in SIZES + SMALL:
        image = images(network, size, 2)
        assert_same(traced(image), network(image))


@pytest.mark.parametrize("fusion", ARMS)
def test_torchscript_fails_at_a_size_that_its_backbone_does_not_take(fusion):
    network = wrap(unet(2), 2, fusion).eval()
    traced = torch.jit.trace(network, images(network, (32, 48)))
    image = images(network, (34, 46))
    assert_same(traced(image), network(image))
    with pytest.raises(RuntimeError, match=r"'\[1, 3, 33, 47\]' is invalid"):
        traced(images(network, (33, 47)))


@pytest.mark.slow
def test_a_compiled_network_is_one_graph_for_several_sizes():
    torch._dynamo.reset()
    network = wrap(segmenter(2), 2, "late")
    compiled = torch.compile(network, backend="aot_eager", fullgraph=True)
    for size in [(32, 48), (34, 40), (64, 30)]:
        image = images(network, size)
        assert_same(compiled(image), network(image))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda path: export_program(segmenter(2), (32, 32)),
            TypeError,
            "'network' must be a FrequencyFusion, got Seq",
        ),
        (
            lambda path: export_program(wrap(unet(2), 2), (32, 32, 32)),
            ValueError,
            "'image_size' must be 2 whole numbers",
        ),
        (
            lambda path: export_onnx(wrap(unet(3), 3), path, (32, 32, 0)),
            ValueError,
            "'image_size' must be 3 whole numb",
        ),
        (lambda path: export_program(wrap(unet(2), 2), (33, 47)), ValueError, "images of 33x47:\n.* as 32x48"),
        (lambda path: export_onnx(wrap(dynunet(), 2), path, (33, 47)), ValueError, "images of 33x47 .*\n.* as 32x48"),
        (
            lambda path: export_program(wrap(unet(2), 2, features=5), (32, 32)),
            ValueError,
            "takes 4 channels and gets 5",
        ),
    ],
)
def test_what_cannot_be_exported_is_refused_for_its_reason(call, error, message, tmp_path):
    with pytest.raises(error, match=message):
        call(tmp_path / "network.onnx")
    assert list(tmp_path.iterdir()) == []


def dynunet():
    return nets.DynUNet(**channels(2), kernel_size=[3] * 3, strides=[1, 2, 2], upsample_kernel_size=[2, 2])


def test_missing_packages_are_named_before_anything_is_exported(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr(export, "export_program", lambda *given, **settings: pytest.fail("exported"))
    with pytest.raises(ImportError, match=r'pip install "monai_freq\[onnx\]"$'):
        export_onnx(wrap(unet(2), 2), tmp_path / "network.onnx", (32, 32))


def test_sizes_of_numpy_are_sizes():
    network = FrequencyFusion(torch.nn.Conv2d(8, 2, 3, padding=1), 1, 2, spatial_dims=2)
    program = export_program(network, [np.int64(32)] * 2, dynamic=False)
    assert program.module()(torch.rand(1, 1, 32, 32)).shape == (1, 2, 32, 32)


@pytest.mark.parametrize("size", [32, None, "32", (32, 0), (32, True), (32.0, 32)])
def test_what_is_no_size_is_refused(size):
    network = FrequencyFusion(torch.nn.Conv2d(8, 2, 3, padding=1), 1, 2, spatial_dims=2)
    with pytest.raises(ValueError, match="'image_size' must be 2 whole numbers of at least 1, got "):
        export_program(network, size)


def test_torch_says_nothing_of_torchvision(tmp_path, monkeypatch, caplog):
    registration = logging.getLogger("torch.onnx._internal.exporter._registration")
    export_to_onnx = torch.onnx.export

    def loud(*arguments, **settings):
        registration.warning("torchvision is not installed. Skipping %s", "torchvision::nms")
        registration.warning("something else")
        return export_to_onnx(*arguments, **settings)

    monkeypatch.setattr(torch.onnx, "export", loud)
    network = FrequencyFusion(torch.nn.Conv2d(8, 2, 3, padding=1), 1, 2, fusion="none", spatial_dims=2)
    export_onnx(network, tmp_path / "network.onnx", (16, 16), dynamic=False)
    assert [text for text in caplog.messages if "torchvision" in text or "something" in text] == ["something else"]
    assert registration.filters == []
