"""The reference model and transformers' own give the same logits: small models of each shape, random weights."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.clients import python_of

pytestmark = pytest.mark.heavy
MODELS = ("phi4mini", "phi3", "llama3", "smollm2", "qwen2")
MOST_APART = 1e-4


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    """What the checks found, in the environment that has torch and transformers."""
    script = Path(__file__).with_name("reference_checks.py")
    done = subprocess.run(
        [python_of("heavy"), script], capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("name", MODELS)
def test_logits_are_those_of_transformers_below_and_above_the_switch_with_cache_and_without(
    told: dict[str, Any], name: str
) -> None:
    apart = told["models"][name]["apart"]
    assert len(apart) == 12
    assert {way: value for way, value in apart.items() if not value < MOST_APART} == {}


@pytest.mark.parametrize("name", MODELS)
def test_greedy_text_is_that_of_transformers_across_the_switch(told: dict[str, Any], name: str) -> None:
    assert told["models"][name]["generates"]


@pytest.mark.parametrize("name", MODELS)
def test_a_model_in_many_files_is_the_same(told: dict[str, Any], name: str) -> None:
    assert told["models"][name]["shards"] > 5
    assert told["models"][name]["same from shards"]
    counted, made = told["models"][name]["parameters"]
    assert counted == made


@pytest.mark.parametrize("name", MODELS)
def test_files_that_do_not_fit_are_refused_by_name(told: dict[str, Any], name: str) -> None:
    said = told["models"][name]["refusals"]
    assert said["more layers"].startswith("BadModel model.layers.3.")
    assert said["fewer layers"].startswith("BadModel model.layers.2.")
    assert said["wider"].startswith("BadModel model.layers.0.mlp.")
    assert said["a million layers"] == "BadModel num_hidden_layers"
    assert said["no heads"] == "BadModel num_attention_heads"
    assert said["another kind"] == "BadModel model_type"


def test_phi_4_mini_has_its_published_size(told: dict[str, Any]) -> None:
    assert told["full size"] == {"told": 3_836_021_760, "made": 3_836_021_760, "turning": 96}
