"""Precision of computations; the switches can be read without a GPU."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from monai_freq.spectral.precision import as_computed, check_image, full_precision
from monai_freq.spectral.psd import radial_psd

ON_CUDA = SimpleNamespace(device=torch.device("cuda"))
MATMUL = torch.backends.cuda.matmul


def tf32():
    """Whether torch would use TF32; only the newer switch may always be read."""
    return MATMUL.fp32_precision == "tf32" if hasattr(MATMUL, "fp32_precision") else MATMUL.allow_tf32


@pytest.fixture(params=["set_float32_matmul_precision", "allow_tf32", "fp32_precision"])
def _on(request):
    """TF32 switched on, in each way of torch."""
    if request.param == "set_float32_matmul_precision":
        torch.set_float32_matmul_precision("high")
    elif hasattr(MATMUL, request.param):
        setattr(MATMUL, request.param, {"allow_tf32": True, "fp32_precision": "tf32"}[request.param])
    else:
        pytest.skip(f"torch {torch.__version__} has no {request.param}")
    yield
    if request.param == "fp32_precision":
        MATMUL.fp32_precision = "ieee"
    torch.set_float32_matmul_precision("highest")


@pytest.mark.usefixtures("_on")
def test_products_on_cuda_are_without_tf32_for_the_block_only():
    assert tf32()
    with full_precision(ON_CUDA):
        assert not tf32()
        with full_precision(ON_CUDA):
            assert not tf32()
        assert not tf32()
    assert tf32()


@pytest.mark.usefixtures("_on")
def test_the_switch_comes_back_after_an_error():
    with pytest.raises(ValueError, match="within"), full_precision(ON_CUDA):
        raise ValueError("within")
    assert tf32()


@pytest.mark.usefixtures("_on")
def test_a_cpu_leaves_the_switch_alone():
    with full_precision(torch.zeros(1)):
        assert tf32()


@pytest.mark.parametrize("image", [np.zeros((8, 8)), [[0.0, 1.0]], None], ids=["array", "list", "nothing"])
@pytest.mark.parametrize("function", [check_image, radial_psd])
def test_what_is_no_tensor_is_refused(function, image):
    name = rf"{type(image).__module__}\.{type(image).__name__}"
    with pytest.raises(TypeError, match=rf"'x' must be a torch.Tensor, got {name}: pass torch.as_tensor\(x\)"):
        function(image, spatial_dims=2)


NOT_DENSE = {
    "sparse": (torch.Tensor.to_sparse, r"got torch\.sparse_coo: pass x\.to_dense\(\)"),
    "compressed": (torch.Tensor.to_sparse_csc, r"got torch\.sparse_csc: pass x\.to_dense\(\)"),
    "nested": (lambda x: torch.nested.nested_tensor([x, x]), "got a nested one"),
}


@pytest.mark.filterwarnings("ignore:Sparse", "ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize(("change", "message"), NOT_DENSE.values(), ids=NOT_DENSE)
@pytest.mark.parametrize("function", [check_image, radial_psd, lambda x, spatial_dims: as_computed(x)])
def test_a_tensor_that_is_not_dense_is_refused(function, change, message):
    with pytest.raises(ValueError, match=f"'x' must be a dense tensor, {message}"):
        function(change(torch.eye(8)), spatial_dims=2)
