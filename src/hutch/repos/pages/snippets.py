"""Lines that put a repository to use, to be copied: each runs as it stands against this hub."""

from __future__ import annotations

from dataclasses import dataclass

from hutch.repos.models import Repo

_LIBRARIES = {
    "transformers": 'from transformers import AutoModel, AutoTokenizer\n\ntokenizer = AutoTokenizer.from_pretrained("{id}")\n'  # noqa: E501
    'model = AutoModel.from_pretrained("{id}")',
    "diffusers": 'from diffusers import DiffusionPipeline\n\npipeline = DiffusionPipeline.from_pretrained("{id}")',
    "sentence-transformers": 'from sentence_transformers import SentenceTransformer\n\nmodel = SentenceTransformer("{id}")',  # noqa: E501
    "peft": 'from peft import AutoPeftModel\n\nmodel = AutoPeftModel.from_pretrained("{id}")',
    "timm": 'import timm\n\nmodel = timm.create_model("hf_hub:{id}", pretrained=True)',
}
_DATASETS = 'from datasets import load_dataset\n\ndata = load_dataset("{id}")'
_HUB = 'from huggingface_hub import snapshot_download\n\nfolder = snapshot_download("{id}"{type})'


@dataclass(frozen=True, slots=True)
class Snippet:
    """`title` says by what; `code` is of `language`."""

    title: str
    code: str
    language: str


def of(row: Repo, base_url: str) -> list[Snippet]:
    """How to use a repository, the way that fits it best first."""
    kind = row.type
    option = "" if kind == "model" else f" --repo-type {kind}"
    argument = "" if kind == "model" else f', repo_type="{kind}"'
    found = [
        Snippet("Command line", f"export HF_ENDPOINT={base_url}\nhf download {row.full_name}{option}", "bash")
    ]
    library = (
        _LIBRARIES.get(row.library_name) if kind == "model" else _DATASETS if kind == "dataset" else None
    )
    if library:
        name = row.library_name if kind == "model" else "datasets"
        found.insert(
            0, Snippet(name, _with_endpoint(library.replace("{id}", row.full_name), base_url), "python")
        )
    hub = _HUB.replace("{id}", row.full_name).replace("{type}", argument)
    found.append(Snippet("huggingface_hub", _with_endpoint(hub, base_url), "python"))
    prefix = "" if kind == "model" else f"{kind}s/"
    found.append(Snippet("git", f"git lfs install\ngit clone {base_url}/{prefix}{row.full_name}", "bash"))
    return found


# The libraries read the hub's address when they are imported.
def _with_endpoint(code: str, base_url: str) -> str:
    return f'import os\n\nos.environ["HF_ENDPOINT"] = "{base_url}"\n\n{code}'


def first_push(row: Repo, base_url: str) -> list[Snippet]:
    """How to bring files into an empty repository."""
    option = "" if row.type == "model" else f" --repo-type {row.type}"
    prefix = "" if row.type == "model" else f"{row.type}s/"
    upload = f"export HF_ENDPOINT={base_url}\nhf auth login\nhf upload {row.full_name} ./my-folder .{option}"
    clone = f"git clone {base_url}/{prefix}{row.full_name}\ncd {row.name}\ngit lfs track '*.safetensors'\ngit add .\ngit commit -m 'First files'\ngit push"  # noqa: E501
    return [Snippet("Command line", upload, "bash"), Snippet("git", clone, "bash")]
