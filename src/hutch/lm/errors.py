"""The branch of the error tree of language models.

BadRequest                 400
├── BadGeneration          400  BadGeneration   a sampling parameter or prompt that cannot be meant
├── BadTemplate            400  BadTemplate     a chat template that fails, or refuses these messages
├── BadModel               400  BadModel        files of a model that do not fit each other, or are none
├── PromptTooLong          400  PromptTooLong   prompt and answer do not fit into the context
└── NotSupported           400  NotSupported    the runner of this model cannot do what is asked
HutchError                 500
└── RunnerFailed           503  RunnerFailed    the process that held the model has died; it comes back
"""

from __future__ import annotations

from hutch.core.errors import BadRequest, Unavailable


class BadGeneration(BadRequest):
    """This cannot be generated."""

    code = "BadGeneration"


class BadTemplate(BadRequest):
    """The chat template cannot make a prompt of these messages."""

    code = "BadTemplate"


class BadModel(BadRequest):
    """These are no files of a model that is known here."""

    code = "BadModel"


class PromptTooLong(BadRequest):
    """The prompt does not fit into the model's context."""

    code = "PromptTooLong"


class NotSupported(BadRequest):
    """The runner of this model cannot do that."""

    code = "NotSupported"


class RunnerFailed(Unavailable):
    """The process that held the model has died."""

    code = "RunnerFailed"
