"""Zuinig: question answering over a company's documents, with a long-term memory that is never wrong on purpose."""

__version__ = "0.1.0"
