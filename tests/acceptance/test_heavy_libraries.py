"""transformers and datasets, unmodified, push to the hub and load from it again."""

from __future__ import annotations

import pytest

from tests.acceptance.clients import Client, ClientFailed
from tests.acceptance.hub import User

pytestmark = pytest.mark.heavy

SMALL = """
from transformers import BertConfig, BertModel
config = BertConfig(
    vocab_size=64, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32
)
"""


def test_model_pushed_by_transformers_is_loaded_with_the_same_weights(heavy: Client, user: User) -> None:
    answer = heavy.call(
        SMALL
        + """
import torch
from transformers import AutoConfig, AutoModel
model = BertModel(config)
model.push_to_hub(args["repo"])
loaded = AutoModel.from_pretrained(args["repo"])
pairs = zip(model.state_dict().items(), loaded.state_dict().items(), strict=True)
result = {
    "hidden": AutoConfig.from_pretrained(args["repo"]).hidden_size,
    "tensors": len(model.state_dict()),
    "same": all(a == b and torch.equal(x, y) for (a, x), (b, y) in pairs),
}
""",
        repo=f"{user.name}/tiny-bert",
    )
    assert answer["hidden"] == 16
    assert answer["tensors"] > 10
    assert answer["same"]


def test_private_model_is_loaded_by_its_owner_and_by_nobody_else(heavy: Client, user: User) -> None:
    repo = f"{user.name}/tiny-private"
    heavy.call(SMALL + "BertModel(config).push_to_hub(args['repo'], private=True)", repo=repo)
    load = "from transformers import AutoModel; result = AutoModel.from_pretrained(args['repo']).config.hidden_size"
    assert heavy.call(load, repo=repo) == 16
    stranger = heavy.signed_in(None).with_environment(HF_HOME=str(heavy.home / "stranger"))
    with pytest.raises(ClientFailed) as refusal:
        stranger.call(load, repo=repo)
    assert refusal.value.kind == "OSError"
    assert "not a valid model identifier" in refusal.value.message


def test_tokenizer_pushed_by_transformers_reads_the_same_words(heavy: Client, user: User) -> None:
    answer = heavy.call(
        """
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoTokenizer, PreTrainedTokenizerFast
words = {"[UNK]": 0, "a": 1, "hutch": 2, "for": 3, "models": 4}
tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]").push_to_hub(args["repo"])
result = AutoTokenizer.from_pretrained(args["repo"])("a hutch for strange models")["input_ids"]
""",
        repo=f"{user.name}/tiny-words",
    )
    assert answer == [1, 2, 3, 0, 4]


def test_dataset_pushed_by_datasets_is_loaded_row_by_row(heavy: Client, user: User) -> None:
    answer = heavy.call(
        """
from datasets import Dataset, DatasetDict, load_dataset
rows = {"text": [f"row {n} \\u00e9\\u2713" for n in range(1000)], "number": list(range(1000))}
made = DatasetDict(train=Dataset.from_dict(rows), test=Dataset.from_dict({k: v[:10] for k, v in rows.items()}))
made.push_to_hub(args["repo"])
loaded = load_dataset(args["repo"])
streamed = load_dataset(args["repo"], split="train", streaming=True)
result = {
    "splits": sorted(loaded),
    "same": loaded["train"].to_dict() == rows,
    "streamed": [row["number"] for row in streamed.take(5)],
}
""",
        repo=f"{user.name}/rows",
    )
    assert answer == {"splits": ["test", "train"], "same": True, "streamed": [0, 1, 2, 3, 4]}


def test_csv_uploaded_with_a_card_is_a_data_set(heavy: Client, user: User) -> None:
    answer = heavy.call(
        """
from datasets import load_dataset
from huggingface_hub import HfApi
api = HfApi()
api.create_repo(args["repo"], repo_type="dataset")
card = "---\\nconfigs:\\n- config_name: default\\n  data_files:\\n  - split: train\\n    path: data/*.csv\\n---\\n"
api.upload_file(path_or_fileobj=card.encode(), path_in_repo="README.md", repo_id=args["repo"], repo_type="dataset")
api.upload_file(
    path_or_fileobj=b"name,size\\nmodel,3\\ndata,4\\n", path_in_repo="data/a.csv", repo_id=args["repo"],
    repo_type="dataset",
)
result = load_dataset(args["repo"], split="train").to_list()
""",
        repo=f"{user.name}/csv",
    )
    assert answer == [{"name": "model", "size": 3}, {"name": "data", "size": 4}]
