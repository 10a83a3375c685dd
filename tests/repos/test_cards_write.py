"""Cards: front matter within bounds, and what is said about it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from hutch.repos.cards import checks as card_checks
from hutch.repos.cards import front_matter
from hutch.repos.cards import tags as card_tags
from hutch.repos.cards.front_matter import FrontMatterError

BOMB = "---\n" + "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10)
) + "---\n"  # fmt: skip


def test_front_matter_is_taken_apart_from_the_text() -> None:
    found = front_matter.parse("---\nlicense: mit\n---\n# Title\n")
    assert (found.data, found.body, found.found) == ({"license": "mit"}, "# Title\n", True)
    assert front_matter.parse("# Title\n---\nno\n---\n").found is False
    assert front_matter.parse("\ufeff---\r\na: 1\r\n---\r\nx").data == {"a": 1}
    assert front_matter.parse("---\n---\nx").data == {}


def test_values_are_plain_json() -> None:
    data = front_matter.parse(
        "---\nd: 2024-01-02\nt: 2024-01-02 03:04:05\nn: .nan\n1: one\ns: !!set {a, b}\n---\n"
    ).data
    assert data["d"] == "2024-01-02"
    assert (data["n"], data["1"], sorted(data["s"])) == ("nan", "one", ["a", "b"])
    json.dumps(data, allow_nan=False)


@pytest.mark.parametrize(
    "text",
    [
        BOMB,
        "---\n" + "[" * 2000 + "\n---\n",
        "---\na: 1\na: 2\n---\n",
        "---\n- a\n---\n",
        "---\na: [\n---\n",
        "---\na: !!python/name:os.system x\n---\n",
        "---\na: " + "x" * (front_matter.MAX_BYTES + 1) + "\n---\n",
        "---\n" + "".join(f"- {n}\n" for n in range(100_001)) + "---\n",
        "---\na: \x07\n---\n",
    ],
)
def test_hostile_or_broken_blocks_are_refused(text: str) -> None:
    with pytest.raises(FrontMatterError):
        front_matter.parse(text)


def test_line_of_the_mistake_is_told() -> None:
    with pytest.raises(FrontMatterError) as refused:
        front_matter.parse("---\na: 1\nb: [\n---\n")
    assert refused.value.line in (3, 4)


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text("abc: #-é\n", max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(st.dictionaries(st.text("abc", min_size=1, max_size=4), _json, max_size=4))
def test_what_yaml_writes_is_read_back(data: dict[str, Any]) -> None:
    text = yaml.safe_dump(data, allow_unicode=True)
    assert front_matter.parse(f"---\n{text}---\n").data == data


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    for content in (text, f"---\n{text}\n---\n"):
        try:
            json.dumps(front_matter.parse(content).data, allow_nan=False).encode()
        except FrontMatterError:
            pass


@pytest.mark.parametrize(
    ("type_", "card", "errors", "warnings"),
    [
        (
            "model",
            "license: mit\nlanguage: [en, zh-CN, code]\ntags: [a]\npipeline_tag: text-generation",
            0,
            0,
        ),
        ("model", "license: [mit, apache-2.0]", 0, 0),
        ("model", "license: MIT License", 1, 0),
        ("model", "license: {a: 1}", 1, 0),
        ("model", "language: English", 1, 0),
        ("model", "language: no", 0, 1),
        ("model", "tags: solo", 1, 0),
        ("model", "tags: [a, 1]", 1, 0),
        ("model", "pipeline_tag: cooking", 0, 1),
        ("model", "pipeline_tag: 3", 1, 0),
        ("model", "datasets: [squad, a/b]", 0, 0),
        ("model", "datasets: ['a b']", 1, 0),
        ("model", "base_model_relation: cousin", 1, 0),
        ("model", "model-index:\n- name: x\n  results: []", 0, 0),
        ("model", "model-index:\n- results: [{task: {}}]", 4, 0),
        ("dataset", "size_categories: [1K<n<10K]\ntask_categories: [text-generation]", 0, 0),
        ("dataset", "size_categories: many", 0, 1),
        ("dataset", "configs: [{config_name: a}, {config_name: a}]", 1, 0),
        ("dataset", "configs: {a: b}", 1, 0),
        ("space", "sdk: gradio\ncolorFrom: red\npinned: false", 0, 0),
        ("space", "title: x", 1, 0),
        ("space", "sdk: cobol", 1, 0),
        ("space", "sdk: docker\napp_port: 70000", 1, 0),
        ("space", "sdk: docker\nshort_description: " + "x" * 61, 1, 0),
        ("model", "unheard_of: 1", 0, 0),
    ],
)
def test_known_fields_are_checked(type_: str, card: str, errors: int, warnings: int) -> None:
    found = card_checks.check(f"---\n{card}\n---\n", type_)
    assert (len(found.errors), len(found.warnings)) == (errors, warnings), found


def test_card_without_metadata_is_a_warning() -> None:
    assert card_checks.check("# Title", "model").warnings == ["empty or missing yaml metadata in repo card"]


def test_api_answers_in_the_clients_shape(api: Callable[..., Any]) -> None:
    good = api("POST", "/api/validate-yaml", {"content": "---\nlicense: mit\n---\n", "repoType": "model"})
    assert (good.status, good.json) == (200, {"errors": [], "warnings": []})
    bad = api("POST", "/api/validate-yaml", {"content": "---\nlicense: A B\n---\n", "repoType": "model"})
    assert bad.status == 400
    assert "license" in bad.json["errors"][0]["message"]
    assert api("POST", "/api/validate-yaml", {"content": BOMB, "repoType": "model"}).status == 400


@pytest.mark.parametrize(
    ("files", "config", "card", "library", "task"),
    [
        (["adapter_config.json", "config.json"], {}, {}, "peft", ""),
        (["modules.json"], {}, {}, "sentence-transformers", "sentence-similarity"),
        (["q4.gguf"], {}, {}, "gguf", ""),
        (
            ["config.json"],
            {"model_type": "llama", "architectures": ["LlamaForCausalLM"]},
            {},
            "transformers",
            "text-generation",
        ),
        (
            ["config.json"],
            {"model_type": "llama"},
            {"pipeline_tag": "summarization"},
            "transformers",
            "summarization",
        ),
        ([], {}, {"library_name": "keras", "tags": ["translation"]}, "keras", "translation"),
        ([], {"architectures": [1, None, {}]}, {"tags": {"a": 1}, "library_name": []}, "transformers", ""),
    ],
)
def test_library_and_task_are_told_by_card_then_files(
    files: list[str], config: dict[str, Any], card: dict[str, Any], library: str, task: str
) -> None:
    assert card_tags.library_of(card, files, config) == library
    assert card_tags.pipeline_of(card, files, config) == task


def test_base_models_are_tagged_with_their_relation() -> None:
    tags = card_tags.of_model({"base_model": "a/b"}, ["x.gguf"], {}, "")
    assert {"base_model:a/b", "base_model:quantized:a/b"} <= set(tags)


def test_dataset_is_tagged_by_format_and_card() -> None:
    tags = card_tags.of_dataset(
        {"language": ["en"], "license": "mit", "task_categories": ["fill-mask"]}, ["data/a.parquet"], ""
    )
    assert {"language:en", "license:mit", "task_categories:fill-mask", "format:parquet"} <= set(tags)
