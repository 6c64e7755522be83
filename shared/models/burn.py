"""Makes a model as hard-wired silicon would hold it: a few bits a weight, fixed for good.

The weights of a GGUF file are rounded to `ffn_bits` in the feed-forward matrices and to `rest_bits` in all others, in
groups of 32 with a range each, and written as Q8_0, which holds the rounded values almost exactly: the new file runs
wherever the old one does, with the quality the rounding left it. It says nothing about silicon's speed. Vectors (norms,
biases) stay as they are. Every step is elementwise IEEE arithmetic in a fixed order, so the same source gives the same
bytes on any machine.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from shared.errors import BadInput
from shared.files import replacing, sha256_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

GROUP: Final = 32
"""Weights that share one range; also the block of Q8_0, so that a group never straddles two blocks."""
CLIP_FACTORS: Final = (1.0, 0.9, 0.8, 0.7)
"""How much of a group's range to keep: the one with the least squared error wins, the first of equals."""
WEIGHTS_AT_ONCE: Final = 1 << 20
"""Weights rounded in one go: bounds the memory to some tens of megabytes whatever the matrix."""


def burn(
    source: Path,
    target: Path,
    *,
    ffn_bits: int,
    rest_bits: int,
    progress: Callable[[str, int, int], None] = lambda _label, _done, _total: None,
) -> None:
    """Write `source` (GGUF) to `target` with its matrices rounded. Takes about a minute for half a billion weights.

    Raises `BadInput` for bits outside 2 to 8, a source that is no readable GGUF, a matrix whose rows are no multiple
    of 32 long, and where gguf is not installed.
    """
    for name, bits in (("ffn_bits", ffn_bits), ("rest_bits", rest_bits)):
        if not 2 <= bits <= 8:
            raise BadInput(f"{name} is {bits}; it must lie between 2 and 8")
    try:
        import gguf
    except ImportError:
        raise BadInput("burning needs gguf; run: make dev (or install the extra: local)") from None
    try:
        reader = gguf.GGUFReader(source)
    except (OSError, ValueError, IndexError, UnicodeDecodeError) as error:
        raise BadInput(f"{source} cannot be read as GGUF ({error}); pull the model again") from None
    architecture = reader.get_field(gguf.Keys.General.ARCHITECTURE)
    if architecture is None:
        raise BadInput(f"{source} does not say which architecture it is; burn a complete model file")
    with replacing(target) as out:
        writer = gguf.GGUFWriter(out.name, architecture.contents())
        _copy_keys(reader, writer)
        writer.add_string("crossover.burnt.from_sha256", sha256_of(source))
        writer.add_uint32("crossover.burnt.ffn_bits", ffn_bits)
        writer.add_uint32("crossover.burnt.rest_bits", rest_bits)
        writer.add_string("crossover.burnt.how", f"groups of {GROUP}, range each, clip {CLIP_FACTORS}, held in Q8_0")
        for tensor in reader.tensors:
            _announce(tensor, writer)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        done, total = 0, sum(int(tensor.n_bytes) for tensor in reader.tensors)
        for tensor in reader.tensors:
            progress(f"burning {target.name}", done, total)
            bits = ffn_bits if "ffn_" in tensor.name else rest_bits
            writer.write_tensor_data(_burnt(tensor, bits) if _is_matrix(tensor) else tensor.data)
            done += int(tensor.n_bytes)
        writer.close()
    progress(f"burning {target.name}", total, total)


def _is_matrix(tensor: Any) -> bool:
    return len(tensor.shape) >= 2


def _copy_keys(reader: Any, writer: Any) -> None:
    """Every key of the header but those the writer sets itself; the file type becomes what the new file is."""
    import gguf

    for field in reader.fields.values():
        if field.name == gguf.Keys.General.ARCHITECTURE or field.name.startswith("GGUF."):
            continue
        kind = field.types[0]
        inner = field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
        value = field.contents()
        if field.name == gguf.Keys.General.FILE_TYPE:
            value = int(gguf.LlamaFileType.MOSTLY_Q8_0)
        writer.add_key_value(field.name, value, kind, sub_type=inner)


def _announce(tensor: Any, writer: Any) -> None:
    """Enter one tensor into the new file's table: matrices as Q8_0, everything else as it is."""
    import gguf
    import numpy as np

    if not _is_matrix(tensor):
        writer.add_tensor_info(
            tensor.name, tensor.data.shape, tensor.data.dtype, tensor.data.nbytes, tensor.tensor_type
        )
        return
    width = int(tensor.shape[0])
    if width % GROUP:
        raise BadInput(f"matrix {tensor.name} has rows of {width} weights; only multiples of {GROUP} can be burnt")
    shape = [int(length) for length in reversed(tensor.shape)]
    kind = gguf.GGMLQuantizationType.Q8_0
    block, block_bytes = gguf.GGML_QUANT_SIZES[kind]
    count = int(tensor.n_elements)
    writer.add_tensor_info(tensor.name, shape, np.dtype(np.float32), count // block * block_bytes, kind)


def _burnt(tensor: Any, bits: int) -> NDArray[np.uint8]:
    """The tensor's bytes as Q8_0 of its rounded weights."""
    import gguf
    import numpy as np

    rows = tensor.data.reshape(-1, tensor.data.shape[-1])
    step = max(1, WEIGHTS_AT_ONCE // int(tensor.shape[0]))
    pieces = []
    for start in range(0, len(rows), step):
        weights = gguf.quants.dequantize(rows[start : start + step], tensor.tensor_type)
        rounded = round_groups(weights.astype(np.float32, copy=False), bits)
        pieces.append(gguf.quants.quantize(rounded, gguf.GGMLQuantizationType.Q8_0))
    return np.concatenate(pieces)


def round_groups(weights: NDArray[np.float32], bits: int) -> NDArray[np.float32]:
    """Each group of 32 along the last axis rounded to 2**bits evenly spaced values; same shape, float32.

    The values span the group's own range, shrunk by whichever clip factor leaves the least squared error.
    """
    import numpy as np

    groups = weights.reshape(-1, GROUP)
    low, high = groups.min(axis=1, keepdims=True), groups.max(axis=1, keepdims=True)
    levels = np.float32(2**bits - 1)
    best: NDArray[np.float32] = np.empty_like(groups)
    least = np.full((len(groups), 1), np.inf, dtype=np.float32)
    for factor in CLIP_FACTORS:
        base = low * np.float32(factor)
        step = (high * np.float32(factor) - base) / levels
        step = np.where(step > 0, step, np.float32(1.0))
        tried = np.clip(np.rint((groups - base) / step), np.float32(0.0), levels) * step + base
        error = _sum_of_squares(tried - groups)
        better = error < least
        np.copyto(best, tried, where=better)
        np.copyto(least, error, where=better)
    return best.reshape(weights.shape)


def _sum_of_squares(groups: NDArray[np.float32]) -> NDArray[np.float32]:
    """One sum a row, added by halves: a library's own sum may choose another order on another machine."""
    squares = groups * groups
    width = GROUP
    while width > 1:
        width //= 2
        squares = squares[:, :width] + squares[:, width : 2 * width]
    return squares
