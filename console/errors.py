"""What an API call can be refused for.

ApiError              carries status, code, message and mend; becomes the JSON answer
├─ BadRequestError    400: the caller's parameters
├─ UnauthorizedError  401: no token, or another one
├─ ForbiddenError     403: a change that is not taken from there
├─ NotFoundError      404: no such node, series or path
├─ ConflictError      409: it does not go with what runs here
├─ SiteRefusedError   422: the site's files have mistakes; in console.site
└─ UnavailableError   503: something behind the API, for now
"""


class ApiError(Exception):
    """An answer that is not 200. The message names the thing and the value, the mend what to do."""

    status = 500

    def __init__(self, code: str, message: str, mend: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.mend = mend


class BadRequestError(ApiError):
    """The parameters cannot be understood or ask for too much."""

    status = 400


class UnauthorizedError(ApiError):
    """Who asks has to prove who they are."""

    status = 401


class ForbiddenError(ApiError):
    """A change may not come from there."""

    status = 403


class NotFoundError(ApiError):
    """There is nothing of that name."""

    status = 404


class ConflictError(ApiError):
    """It contradicts what this process was started with."""

    status = 409


class UnavailableError(ApiError):
    """It may work later."""

    status = 503
