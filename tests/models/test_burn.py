"""Burning, on a GGUF file of a few kilobytes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from shared.errors import BadInput
from shared.files import sha256_of
from shared.models import pull
from shared.models.burn import GROUP, burn, round_groups
from shared.models.catalogue import Model

gguf = pytest.importorskip("gguf", reason="needs the packages of the extra `local`")


def source(path: Path, width: int = 64) -> Path:
    """A file with one matrix of each kind, a vector and keys of several types."""
    random = np.random.default_rng(1)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_uint32("llama.block_count", 1)
    writer.add_float32("llama.rope.freq_base", 10000.5)
    writer.add_array("tokenizer.ggml.tokens", ["a", "ü", "<|end|>"])
    writer.add_array("tokenizer.ggml.token_type", [1, 2, 3])
    writer.add_bool("tokenizer.ggml.add_bos_token", False)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    for name in ("blk.0.ffn_up.weight", "blk.0.attn_q.weight"):
        writer.add_tensor(name, random.normal(size=(8, width)).astype(np.float32))
    writer.add_tensor("blk.0.ffn_norm.weight", random.normal(size=width).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def weights(path: Path) -> dict[str, NDArray[np.float32]]:
    tensors = gguf.GGUFReader(path).tensors
    return {each.name: gguf.quants.dequantize(each.data, each.tensor_type) for each in tensors}


def keys(path: Path) -> dict[str, Any]:
    return {name: field.contents() for name, field in gguf.GGUFReader(path).fields.items() if "GGUF." not in name}


def most_values_in_a_group(matrix: NDArray[np.float32]) -> int:
    """Weights held in Q8_0 carry its rounding, one part in 127 of the group's largest: values closer are one."""
    groups = matrix.reshape(-1, GROUP)
    return max(1 + int((np.diff(np.sort(group)) > np.abs(group).max() / 50).sum()) for group in groups)


def test_feed_forward_matrices_get_fewer_values_than_the_rest(tmp_path: Path) -> None:
    burn(source(tmp_path / "a.gguf"), tmp_path / "b.gguf", ffn_bits=2, rest_bits=3)
    burnt = weights(tmp_path / "b.gguf")
    assert most_values_in_a_group(burnt["blk.0.ffn_up.weight"]) == 4
    assert most_values_in_a_group(burnt["blk.0.attn_q.weight"]) == 8


def test_more_bits_are_closer_to_the_source(tmp_path: Path) -> None:
    original = weights(source(tmp_path / "a.gguf"))["blk.0.ffn_up.weight"]
    errors = []
    for bits in (2, 3, 4, 6, 8):
        burn(tmp_path / "a.gguf", tmp_path / f"{bits}.gguf", ffn_bits=bits, rest_bits=8)
        errors.append(float(np.abs(weights(tmp_path / f"{bits}.gguf")["blk.0.ffn_up.weight"] - original).mean()))
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.01


def test_vectors_and_keys_are_copied_and_the_header_says_what_was_done(tmp_path: Path) -> None:
    before, after = source(tmp_path / "a.gguf"), tmp_path / "b.gguf"
    burn(before, after, ffn_bits=3, rest_bits=6)
    assert (weights(after)["blk.0.ffn_norm.weight"] == weights(before)["blk.0.ffn_norm.weight"]).all()
    told = keys(after)
    assert {name: told[name] for name in keys(before) if name != "general.file_type"} == {
        name: value for name, value in keys(before).items() if name != "general.file_type"
    }
    assert told["crossover.burnt.from_sha256"] == sha256_of(before)
    assert (told["crossover.burnt.ffn_bits"], told["crossover.burnt.rest_bits"]) == (3, 6)
    assert told["general.file_type"] == gguf.LlamaFileType.MOSTLY_Q8_0


def test_burning_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("b", "c"):
        burn(source(tmp_path / "a.gguf"), tmp_path / name, ffn_bits=3, rest_bits=6)
    assert (tmp_path / "b").read_bytes() == (tmp_path / "c").read_bytes()


def test_a_model_of_the_catalogue_is_pulled_then_burnt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSOVER_MODELS", str(tmp_path))
    base = source(tmp_path / "base.gguf")
    burn(base, tmp_path / "expected", ffn_bits=3, rest_bits=6)
    size, digest = (tmp_path / "expected").stat().st_size, sha256_of(tmp_path / "expected")
    known = Model("base", "", "", "", "", base.stat().st_size, sha256_of(base), "chat")
    burnt = Model("burnt", "", "", "", "", size, digest, "chat", burnt_from="base", ffn_bits=3, rest_bits=6)
    monkeypatch.setattr(pull, "find", {"base": known}.__getitem__)
    assert sha256_of(pull.pull(burnt)) == digest


@pytest.mark.parametrize("bits", [1, 9])
def test_bits_that_mean_nothing_are_refused(tmp_path: Path, bits: int) -> None:
    with pytest.raises(BadInput, match=f"ffn_bits is {bits}; it must lie between 2 and 8"):
        burn(tmp_path / "a", tmp_path / "b", ffn_bits=bits, rest_bits=6)


def test_rows_that_do_not_divide_into_groups_are_refused_and_leave_nothing(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"matrix blk\.0\.ffn_up\.weight has rows of 40 weights"):
        burn(source(tmp_path / "a.gguf", width=40), tmp_path / "b.gguf", ffn_bits=3, rest_bits=6)
    assert [each.name for each in tmp_path.iterdir()] == ["a.gguf"]


def test_what_is_no_gguf_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.gguf").write_bytes(b"no model at all")
    with pytest.raises(BadInput, match=r"a\.gguf cannot be read as GGUF"):
        burn(tmp_path / "a.gguf", tmp_path / "b.gguf", ffn_bits=3, rest_bits=6)


matrices = arrays(np.float32, (3, 2 * GROUP), elements=st.floats(-4, 4, width=32))


@given(matrices, st.integers(2, 8))
def test_rounding_stays_in_range_and_within_half_a_step(matrix: NDArray[np.float32], bits: int) -> None:
    groups, rounded = matrix.reshape(-1, GROUP), round_groups(matrix, bits).reshape(-1, GROUP)
    low, high = groups.min(axis=1, keepdims=True), groups.max(axis=1, keepdims=True)
    half_step = (high - low) / (2**bits - 1) / 2
    plain_error = (np.full_like(groups, half_step) ** 2).sum(axis=1)
    assert (((rounded - groups) ** 2).sum(axis=1) <= plain_error + 1e-5).all()
    assert all(len(np.unique(group)) <= 2**bits for group in rounded)


@given(matrices)
def test_a_group_of_one_value_keeps_it(matrix: NDArray[np.float32]) -> None:
    flat = np.repeat(matrix[:, :1], GROUP, axis=1)
    np.testing.assert_allclose(round_groups(flat, 3), flat, atol=1e-6)


def test_without_gguf_it_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(BadInput, match=r"burning needs gguf; run: make dev \(or install the extra: local\)"):
        burn(tmp_path / "a.gguf", tmp_path / "b.gguf", ffn_bits=4, rest_bits=4)
