"""The OpenVINO runner."""

from __future__ import annotations

import pytest

from hutch.lm.runners.openvino import OpenVinoRunner
from tests.lm.runner_suite import *  # noqa: F403
from tests.lm.smollm2 import WEIGHTS


@pytest.fixture(scope="module")
def runner() -> OpenVinoRunner:
    return OpenVinoRunner(WEIGHTS)
