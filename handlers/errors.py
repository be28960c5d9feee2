"""Refusals that a person is told in one sentence."""

from __future__ import annotations


class UserFacingError(Exception):
    """A refusal with a sentence in ``config/wording`` and an HTTP status. ``values`` fill the sentence."""

    wording_key = "error.generic"
    http_status = 400

    def __init__(self, wording_key: str | None = None, **values: object) -> None:
        if wording_key is not None:
            self.wording_key = wording_key
        self.values = values
        super().__init__(self.wording_key)

    @property
    def code(self) -> str:
        """Stable code for problem+json."""
        return self.wording_key.replace(".", "_")


class NotFound(UserFacingError):
    """Absent, or not yours: the same answer."""

    wording_key, http_status = "error.not_found", 404


class NotAllowedHere(UserFacingError):
    wording_key, http_status = "error.not_allowed", 403


class TicketMovedOn(UserFacingError):
    """Somebody else was faster, or the status does not allow this any more."""

    wording_key, http_status = "error.ticket_moved_on", 409


class BadInput(UserFacingError):
    wording_key, http_status = "error.bad_input", 422


class SignInRefused(UserFacingError):
    wording_key, http_status = "error.sign_in_refused", 401


class TooManyAttempts(UserFacingError):
    wording_key, http_status = "error.too_many_attempts", 429
