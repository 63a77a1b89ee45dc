"""Zuinig: question answering over a company's documents, with a long-term memory that is never wrong on purpose."""

import os

# onnxruntime reports itself to its makers, from threads of its own, unless told not to before it is first imported; and
# `disable_telemetry_events` comes too late. Whichever part of Zuinig is imported first, this comes before it.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

__version__ = "0.1.0"
