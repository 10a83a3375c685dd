"""Hutch: an organisation's own Hugging Face, in one package."""

__version__ = "0.1.0"
