"""Images as MONAI loads them."""

import torch
from monai.data import MetaTensor


def meta_image(*shape, name="la_003.nii.gz", seed=0):
    """Image in [0, 1) with a file's name and with voxels of unequal edges."""
    image = torch.rand(*shape, generator=torch.Generator().manual_seed(seed))
    return MetaTensor(image, affine=torch.diag(torch.tensor([2.0, 3.0, 4.0, 1.0])), meta={"filename_or_obj": name})
