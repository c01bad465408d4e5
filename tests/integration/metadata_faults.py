"""What can befall a call to a metadata service."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field


@dataclass
class Fault:
    """Strikes the calls that bring `aspect`, or any proposals; the first `times` of them, or all.

    `status`: what is answered; None closes the connection without an answer. `seconds`: it takes so long. `kept`: what
    the call brings is kept all the same, as by a server whose answer is lost on its way.
    """

    status: int | None
    aspect: str | None = None
    times: int | None = None
    seconds: float = 0.0
    kept: bool = False
    headers: dict[str, str] = field(default_factory=dict)

    def strikes(self, aspects: Collection[str]) -> bool:
        """Whether it strikes this call; counts it."""
        if self.times == 0 or (self.aspect is not None and self.aspect not in aspects):
            return False
        if self.times is not None:
            self.times -= 1
        return True

    @property
    def body(self) -> dict[str, object] | str:
        """As DataHub's service words a refusal, or a proxy in front of it an error."""
        if self.status is None or self.status >= 429:
            return "upstream connect error or disconnect/reset before headers"
        message = f"Failed to validate record with class com.linkedin: {self.aspect} is refused"
        trace = f"com.linkedin.restli.server.RestLiServiceException [HTTP Status:{self.status}]: {message}\n\tat a.b(C)"
        return {"exceptionClass": "RestLiServiceException", "message": message, "stackTrace": trace}
