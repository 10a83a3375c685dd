"""The `.gitattributes` of a new repository: the field's binary formats are large objects from the start."""

from __future__ import annotations

_MODEL_FORMATS = (
    *(
        "bin",
        "ckpt",
        "ftz",
        "gguf",
        "ggml",
        "h5",
        "joblib",
        "keras",
        "mlmodel",
        "model",
        "msgpack",
        "nemo",
        "onnx",
    ),
    *(
        "onnx_data",
        "ot",
        "pb",
        "pkl",
        "pickle",
        "pt",
        "pte",
        "pth",
        "safetensors",
        "tflite",
        "task",
        "engine",
    ),
)
_DATA_FORMATS = (
    "arrow",
    "avro",
    "duckdb",
    "feather",
    "lmdb",
    "mds",
    "npy",
    "npz",
    "orc",
    "parquet",
    "sqlite",
    "db",
)
_ARCHIVES = ("7z", "bz2", "gz", "lz4", "rar", "tar", "tgz", "wasm", "whl", "xz", "zip", "zst", "tar.*")
_TRACES = ("tfrecord", "tfrecord-*")
_MEDIA = (
    *("aac", "flac", "m4a", "mp3", "ogg", "opus", "pcm", "sam", "raw", "wav"),
    *("avi", "mkv", "mov", "mp4", "mpeg", "webm"),
    *("bmp", "gif", "jpeg", "jpg", "png", "tif", "tiff", "webp", "pdf"),
)
_MODEL_MEDIA = ("mp3", "mp4", "wav", "flac")

_LFS = "filter=lfs diff=lfs merge=lfs -text"


def _text(*groups: tuple[str, ...]) -> str:
    endings = sorted({ending for group in groups for ending in group})
    lines = [f"*.{ending} {_LFS}" for ending in endings]
    return "\n".join([*lines, f"*tfevents* {_LFS}", f"saved_model/**/* {_LFS}"]) + "\n"


DEFAULT_GITATTRIBUTES = _text(_MODEL_FORMATS, _DATA_FORMATS, _ARCHIVES, _TRACES, _MODEL_MEDIA)
DATASET_GITATTRIBUTES = _text(_MODEL_FORMATS, _DATA_FORMATS, _ARCHIVES, _TRACES, _MEDIA)
