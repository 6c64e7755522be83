"""The catalogue: what is in it fits together."""

from __future__ import annotations

import re

import pytest

from shared.errors import BadInput
from shared.models.catalogue import Model, catalogue, find

MODELS = list(catalogue().values())


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_every_model_can_be_known_again(model: Model) -> None:
    assert re.fullmatch("[0-9a-f]{64}", model.sha256)
    assert model.bytes > 0
    assert model.licence == "Apache-2.0"


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_every_model_comes_either_from_parts_that_add_up_or_from_another_model(model: Model) -> None:
    if model.burnt_from is None:
        assert sum(part.bytes for part in model.parts) == model.bytes
        assert all(re.fullmatch("[0-9a-f]{64}", part.sha256) for part in model.parts)
    else:
        assert model.parts == ()
        assert model.ffn_bits is not None
        assert model.rest_bits is not None
        assert model.name == f"{find(model.burnt_from).name}-burnt-{model.ffn_bits}-{model.rest_bits}"


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(BadInput, match=r"no model called 'gpt-9'.*smollm2-135m, qwen-0\.5b, qwen-1\.5b"):
        find("gpt-9")
