"""Every error a user can meet. Routes raise, one handler renders.

ZuinigError
├── BadRequest 400 · Unauthenticated 401 · Forbidden 403 · NotFound 404 · Conflict 409
├── TooLarge 413 · Unprocessable 422
├── DocumentError 422        a file that cannot become passages; its reason is shown beside the file
├── TooManyRequests 429      more than a limit allows in a while
├── Overloaded 503           more questions than can be worked on soon
├── NotReady 503             the service is starting, or something it needs is missing
├── LLMFailed 502            the configured LLM did not answer
├── IndexDamaged             a stored index that must not be trusted; handled by rebuilding it
└── ConfigurationError       the service refuses to start
"""

from http import HTTPStatus


class ZuinigError(Exception):
    """code: for programs. message: one sentence for the person, saying what to do next."""

    status: int = 500
    code: str = "internal_error"

    retry_after_s: int | None = None

    def __init__(self, message: str, *, code: str | None = None, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.param = param

    @property
    def title(self) -> str:
        return HTTPStatus(self.status).phrase


class BadRequest(ZuinigError):
    status, code = 400, "bad_request"


class Unauthenticated(ZuinigError):
    status, code = 401, "invalid_api_key"


class Forbidden(ZuinigError):
    status, code = 403, "forbidden"


class NotFound(ZuinigError):
    status, code = 404, "not_found"


class Conflict(ZuinigError):
    status, code = 409, "conflict"


class TooLarge(ZuinigError):
    status, code = 413, "too_large"


class Unprocessable(ZuinigError):
    status, code = 422, "invalid_value"


class DocumentError(ZuinigError):
    status, code = 422, "document_error"


class TooManyRequests(ZuinigError):
    """retry_after_s: from when on it is allowed again."""

    status, code = 429, "rate_limit_exceeded"

    def __init__(self, message: str, *, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Overloaded(ZuinigError):
    """reason: for metrics, in one word."""

    status, code = 503, "overloaded"

    def __init__(self, message: str, reason: str, *, retry_after_s: int) -> None:
        super().__init__(message)
        self.reason, self.retry_after_s = reason, retry_after_s


class NotReady(ZuinigError):
    status, code = 503, "not_ready"


class LLMFailed(ZuinigError):
    status, code = 502, "llm_failed"


class IndexDamaged(ZuinigError):
    code = "index_damaged"


class ConfigurationError(ZuinigError):
    code = "configuration_error"
