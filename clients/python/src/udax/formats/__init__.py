"""Formats whose data can be used where it lies: headers are parsed and checked, tensors are views of the file.

    from udax.formats import safetensors
    weights = safetensors(volume.open("/model.safetensors"))
    weights["embed"].numpy()        # an array over the shared memory

A header can be hostile: what it says is checked against the file, and ValueError says what is wrong. Nothing is copied but
names and metadata.
"""

from .arrow import ArrowFile, Column, Field, RecordBatch, arrow
from .gguf import gguf
from .npy import Arrays, npy, npz
from .safetensors import safetensors
from .tensor import DTYPES, Tensor, Tensors

__all__ = [
    "DTYPES",
    "ArrowFile",
    "Arrays",
    "Column",
    "Field",
    "RecordBatch",
    "Tensor",
    "Tensors",
    "arrow",
    "gguf",
    "npy",
    "npz",
    "safetensors",
]
