"""One handler renders every error: application/problem+json (RFC 9457), with an `error` that OpenAI clients read."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from zuinig.core.errors import ZuinigError

log = structlog.get_logger()

SECURITY = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
MESSAGES = {
    404: "There is nothing at this address; /openapi.json lists what there is.",
    405: "This address does not take that method; /openapi.json says which it takes.",
    408: "The request came too slowly and was given up; send it again, or less at a time over a slow line.",
    413: "The request is larger than this address accepts; send less at a time.",
}
_KINDS = {401: "authentication_error", 429: "rate_limit_error"}

# Of every route, in place of FastAPI's own description of a 422, which is not what is sent here.
SCHEMA: dict[int | str, dict[str, Any]] = {
    "4XX": {
        "description": "Refused; `detail` says why, and what to do.",
        "content": {
            "application/problem+json": {
                "schema": {
                    "type": "object",
                    "required": ["type", "title", "status", "detail", "error"],
                    "properties": {
                        "type": {"type": "string"},
                        "title": {"type": "string"},
                        "status": {"type": "integer"},
                        "detail": {"type": "string"},
                        "instance": {"type": "string"},
                        "error": {
                            "type": "object",
                            "properties": {
                                "message": {"type": "string"},
                                "type": {"type": "string"},
                                "param": {"type": ["string", "null"]},
                                "code": {"type": "string"},
                            },
                        },
                    },
                }
            }
        },
    }
}


def problem(
    status: int,
    message: str,
    *,
    code: str,
    param: str | None = None,
    instance: str = "",
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    return JSONResponse(
        body(status, message, code=code, param=param, instance=instance),
        status_code=status,
        headers=dict(headers or {}),
        media_type="application/problem+json",
    )


def body(status: int, message: str, *, code: str, param: str | None = None, instance: str = "") -> dict[str, Any]:
    kind = "server_error" if status >= 500 else _KINDS.get(status, "invalid_request_error")
    return {
        "type": f"urn:zuinig:error:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": message,
        "instance": instance,
        "error": {"message": message, "type": kind, "param": param, "code": code},
    }


def of(error: ZuinigError, instance: str) -> JSONResponse:
    found = body(error.status, error.message, code=error.code, param=error.param, instance=instance)
    if error.retry_after_s is not None:
        found["retry_after_s"] = error.retry_after_s  # RFC 9457 leaves room for members of one's own
    return JSONResponse(found, error.status, headers_of(error), media_type="application/problem+json")


def headers_of(error: ZuinigError) -> dict[str, str]:
    headers = {"www-authenticate": "Bearer"} if error.status == 401 else {}
    return headers if error.retry_after_s is None else {**headers, "retry-after": str(error.retry_after_s)}


def install(app: FastAPI) -> None:
    @app.exception_handler(ZuinigError)
    def zuinig_error(request: Request, error: ZuinigError) -> JSONResponse:
        return of(error, request.url.path)

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = [str(p) for p in first["loc"] if p not in ("body", "query", "path", "header")]
        if first["type"] == "json_invalid":
            return problem(
                400,
                "The body is not valid JSON; check it and send it again.",
                code="invalid_json",
                instance=request.url.path,
            )
        name = ".".join(where) or "body"
        return problem(422, f"{name}: {first['msg']}", code="invalid_value", param=name, instance=request.url.path)

    @app.exception_handler(HTTPException)
    def http_error(request: Request, error: HTTPException) -> JSONResponse:
        message = MESSAGES.get(error.status_code, str(error.detail))
        code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
        return problem(error.status_code, message, code=code, instance=request.url.path, headers=error.headers)

    @app.exception_handler(ClientDisconnect)
    def gone(request: Request, error: ClientDisconnect) -> JSONResponse:
        # Nobody reads it; without it whoever breaks off an upload would be logged as a crash of ours.
        return problem(400, "The client hung up half way.", code="client_disconnected", instance=request.url.path)

    @app.exception_handler(Exception)
    def unexpected(request: Request, error: Exception) -> JSONResponse:
        log.exception("request.crashed", path=request.url.path, exc_info=error)
        return problem(
            500,
            "Zuinig failed on this request. Its log has the reason under the x-request-id of this response.",
            code="internal_error",
            instance=request.url.path,
            # What `Around` gives to every other response: this one is sent outside of it.
            headers={**SECURITY, "x-request-id": getattr(request.state, "request_id", "")},
        )
