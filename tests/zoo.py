"""Checkpoints and photographs for tests and benchmarks; nothing here needs the network.

Every function is deterministic by its arguments. Torch is imported inside the functions that need it, and
``make_checkpoint`` and ``save_photo_crops`` can run as worker jobs, so a TensorFlow process can use this module too.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import numpy.typing as npt

from verify.samples import IMAGENET_MEAN, IMAGENET_STD

_WARM_UP_BATCHES = 4
_WARM_UP_BATCH_SIZE = 8
_DENSENET_LAYER = re.compile(r"(denselayer\d+\.(?:norm|conv))([12])\.")


def photo_crops(count: int, size: int, seed: int = 0) -> npt.NDArray[np.float32]:
    """Random resized crops of two real photographs, normalised as ImageNet is: ``(count, 3, size, size)``."""
    stacked = np.stack(photo_crops_uint8(count, size, seed)).astype(np.float32) / 255
    normalised = (stacked - np.array(IMAGENET_MEAN, np.float32)) / np.array(IMAGENET_STD, np.float32)
    return np.ascontiguousarray(normalised.transpose(0, 3, 1, 2), dtype=np.float32)


def photo_crops_uint8(count: int, size: int, seed: int = 0) -> list[npt.NDArray[np.uint8]]:
    """The same crops as pictures, each ``(size, size, 3)`` in 0..255."""
    from PIL import Image
    from sklearn.datasets import load_sample_images

    photos = [Image.fromarray(photo) for photo in load_sample_images().images]
    random = np.random.default_rng(seed)
    crops = []
    for index in range(count):
        photo = photos[index % len(photos)]
        side = int(random.integers(120, min(photo.size) + 1))
        left = int(random.integers(0, photo.width - side + 1))
        top = int(random.integers(0, photo.height - side + 1))
        crop = photo.resize((size, size), Image.Resampling.BILINEAR, box=(left, top, left + side, top + side))
        pixels = np.asarray(crop, dtype=np.uint8)
        crops.append(np.ascontiguousarray(pixels[:, ::-1] if random.random() < 0.5 else pixels))
    return crops


def save_photo_crops(folder: Path, count: int, size: int, seed: int = 0) -> Path:
    """The same crops as PNG files in ``folder``, as a user's ``--calib`` folder would hold them."""
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    for index, pixels in enumerate(photo_crops_uint8(count, size, seed)):
        Image.fromarray(pixels).save(folder / f"{index:04d}.png")
    return folder


def make_checkpoint(name: str, folder: Path, classes: int = 10, legacy_keys: bool = False) -> Path:
    """Save a torchvision net as a bare state_dict, ``folder/name.pth``.

    Its weights are random (seed 0), its batch-norm statistics are re-estimated on photo crops, and zero layers are
    filled: a net as it comes from its constructor gives outputs of 1e-9 or all zeros. ``legacy_keys`` writes DenseNet's
    old spelling (``norm.1`` for ``norm1``) and leaves out ``num_batches_tracked``, as old published files do.
    """
    import torch

    from verify.checkpoint.torchvision_shim import import_torchvision

    models = import_torchvision().models
    torch.manual_seed(0)
    options = {"init_weights": True} if name in ("googlenet", "inception_v3") else {}
    net = models.get_model(name, num_classes=classes, **options)
    size = _crop_size(name)
    _fill_zero_heads(net)
    _estimate_batch_norm(net, size)
    state = net.state_dict()
    if legacy_keys:
        renamed = {_DENSENET_LAYER.sub(r"\1.\2.", key): value for key, value in state.items()}
        state = {key: value for key, value in renamed.items() if not key.endswith("num_batches_tracked")}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.pth"
    torch.save(state, path)
    return path


def _crop_size(name: str) -> int:
    from verify.checkpoint.torchvision_shim import import_torchvision

    transforms = import_torchvision().models.get_model_weights(name).DEFAULT.transforms()
    return int(transforms.crop_size[0])


def _fill_zero_heads(net: object) -> None:
    """Give linear layers that are all zeros (ViT's head) and vanishing layer scales (ConvNeXt) values that matter."""
    import torch

    assert isinstance(net, torch.nn.Module)
    for module in net.modules():
        if isinstance(module, torch.nn.Linear) and not module.weight.any():
            torch.nn.init.normal_(module.weight, std=0.02)
    for name, parameter in net.named_parameters():
        if name.endswith("layer_scale"):
            torch.nn.init.constant_(parameter, 0.1)


def _estimate_batch_norm(net: object, size: int) -> None:
    """Cumulative statistics over a few batches; dropout and stochastic depth stay off, auxiliary heads run."""
    import torch

    assert isinstance(net, torch.nn.Module)
    net.eval()
    norms = [module for module in net.modules() if isinstance(module, torch.nn.modules.batchnorm._BatchNorm)]
    if not norms:
        return
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    net.training = hasattr(net, "aux_logits")
    with torch.no_grad():
        for batch in range(_WARM_UP_BATCHES):
            net(torch.from_numpy(photo_crops(_WARM_UP_BATCH_SIZE, size, seed=1000 + batch)))
    net.eval()
