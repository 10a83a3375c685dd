"""The tasks (pipeline tags) that the field knows, and how a transformers architecture tells its own."""

from __future__ import annotations

TASKS = frozenset(
    """
    any-to-any audio-classification audio-text-to-text audio-to-audio automatic-speech-recognition depth-estimation
    document-question-answering feature-extraction fill-mask graph-ml image-classification image-feature-extraction
    image-segmentation image-text-to-image image-text-to-text image-text-to-video image-to-3d image-to-image
    image-to-text image-to-video keypoint-detection mask-generation multiple-choice object-detection other
    question-answering reinforcement-learning robotics sentence-similarity summarization table-question-answering
    table-to-text tabular-classification tabular-regression tabular-to-text text-classification text-generation
    text-ranking text-retrieval text-to-3d text-to-audio text-to-image text-to-speech text-to-video
    text2text-generation time-series-forecasting token-classification translation unconditional-image-generation
    video-classification video-text-to-text video-to-video visual-document-retrieval visual-question-answering
    voice-activity-detection zero-shot-classification zero-shot-image-classification zero-shot-object-detection
    """.split()
)

# The end of an architecture's name, longest first where one is the end of another.
_BY_ARCHITECTURE = (
    ("ForCausalLM", "text-generation"),
    ("LMHeadModel", "text-generation"),
    ("ForMaskedLM", "fill-mask"),
    ("ForImageTextToText", "image-text-to-text"),
    ("ForVision2Seq", "image-text-to-text"),
    ("ForSpeechSeq2Seq", "automatic-speech-recognition"),
    ("ForCTC", "automatic-speech-recognition"),
    ("ForConditionalGeneration", "text2text-generation"),
    ("ForAudioClassification", "audio-classification"),
    ("ForImageClassification", "image-classification"),
    ("ForVideoClassification", "video-classification"),
    ("ForSequenceClassification", "text-classification"),
    ("ForTokenClassification", "token-classification"),
    ("ForDocumentQuestionAnswering", "document-question-answering"),
    ("ForVisualQuestionAnswering", "visual-question-answering"),
    ("ForTableQuestionAnswering", "table-question-answering"),
    ("ForQuestionAnswering", "question-answering"),
    ("ForMultipleChoice", "multiple-choice"),
    ("ForZeroShotObjectDetection", "zero-shot-object-detection"),
    ("ForObjectDetection", "object-detection"),
    ("ForSemanticSegmentation", "image-segmentation"),
    ("ForInstanceSegmentation", "image-segmentation"),
    ("ForUniversalSegmentation", "image-segmentation"),
    ("ForDepthEstimation", "depth-estimation"),
    ("ForTextToWaveform", "text-to-audio"),
    ("Model", "feature-extraction"),
)
# Families whose generating class reads more than text.
_BY_MODEL_TYPE = {"whisper": "automatic-speech-recognition", "clip": "zero-shot-image-classification"}
_BY_LIBRARY = {
    "sentence-transformers": "sentence-similarity",
    "stable-baselines3": "reinforcement-learning",
    "spacy": "token-classification",
    "timm": "image-classification",
}


def task_of_config(model_type: str, architectures: list[str]) -> str:
    """The task that a `config.json` of transformers speaks of; empty if none."""
    if model_type in _BY_MODEL_TYPE:
        return _BY_MODEL_TYPE[model_type]
    for architecture in architectures:
        for ending, task in _BY_ARCHITECTURE:
            if architecture.endswith(ending):
                return task
    return ""


def task_of_library(library: str) -> str:
    """The task that models of a library mostly have; empty if none."""
    return _BY_LIBRARY.get(library, "")
