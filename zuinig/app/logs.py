"""Structured logs. Neither document nor question text is logged at info and above."""

import logging
import sys
from typing import Any

import structlog

from zuinig.core.settings import Settings, secrets


def configure(settings: Settings) -> None:
    level = getattr(logging, settings.log_level.upper())
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if settings.log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    redact = _Redact(settings)
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.format_exc_info, renderer, redact],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer, redact],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(level, logging.WARNING))


class _Redact:
    """Takes the secrets of the settings out of a line: the server that a key was sent to may well say it back, in an
    error that is logged.
    """

    def __init__(self, settings: Settings) -> None:
        values = (getattr(settings, name) for name in secrets())
        self._secrets = [value.get_secret_value() for value in values if value]

    def __call__(self, logger: Any, method: str, line: Any) -> Any:
        for secret in self._secrets:
            line = line.replace(secret, "[secret]")
        return line
