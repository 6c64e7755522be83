"""Requests are validated once, when they are made; identities and keys spell every field."""

from __future__ import annotations

import dataclasses

import pytest

from shared.contract import Identity, Message, Request, canonical_json
from shared.errors import InvalidRequest
from tests.fakes import ask


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"messages": ()}, "at least one Message"),
        ({"messages": ("hello",)}, "at least one Message"),
        ({"messages": (Message("assistant", "hi"),)}, "last message is from 'assistant'"),
        ({"max_tokens": 0}, "max_tokens is 0"),
        ({"temperature": -0.1}, "temperature is -0.1"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"top_p": 0.0}, "top_p is 0.0"),
        ({"deadline_s": 0.0}, "deadline_s is 0.0"),
        ({"deadline_s": float("inf")}, "deadline_s is inf"),
        ({"sample": -1}, "sample is -1"),
        ({"stop": "END"}, "stop is not a tuple"),
        ({"scope": {"tenant": "a"}}, "scope is not a tuple of"),
        ({"tools": "{"}, "tools is not JSON"),
        ({"response_format": "NaN"}, "response_format is not JSON"),
    ],
)
def test_a_wrong_request_says_what_and_what_it_must_be(fields: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        dataclasses.replace(ask(), **fields)  # type: ignore[arg-type]


def test_an_unknown_role_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="role 'tool' is unknown"):
        Message("tool", "x")  # type: ignore[arg-type]


def test_a_request_is_frozen_and_hashable() -> None:
    assert hash(ask()) == hash(ask())
    with pytest.raises(dataclasses.FrozenInstanceError):
        ask().max_tokens = 3  # type: ignore[misc]


def test_spelling_does_not_matter_where_meaning_is_the_same() -> None:
    one, other = ask(scope=(("a", "1"), ("b", "2"))), ask(scope=(("b", "2"), ("a", "1")))
    assert one == other
    assert ask(tools='{"b": 1, "a": 2}') == ask(tools='{"a":2,"b":1}')


def test_a_prompt_holds_every_field_but_those_no_model_sees() -> None:
    unseen = {"task", "scope", "deadline_s"}
    assert set(ask().prompt()) == {field.name for field in dataclasses.fields(Request)} - unseen


def test_canonical_json_is_unambiguous() -> None:
    assert canonical_json(["abc", "x"]) != canonical_json(["ab", "cx"])
    assert canonical_json({"b": 1, "a": 2}) == canonical_json({"a": 2, "b": 1})
    with pytest.raises(ValueError, match="JSON"):
        canonical_json(float("nan"))


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Identity)])
def test_every_field_of_an_identity_makes_another_model(field: str) -> None:
    base = Identity("p", "m", "u", "v", "t")
    assert dataclasses.replace(base, **{field: "other"}).digest() != base.digest()
