"""The site that runs, and loading it anew."""

from collections.abc import Sequence
from typing import Protocol

from console.errors import ApiError
from console.models import Refusal
from console.site_models import Reloaded, ReloadRefused, SiteAnswer, SiteMistake


class SiteRefusedError(ApiError):
    """The site cannot be loaded anew; what runs goes on."""

    status = 422

    def __init__(self, code: str, message: str, mend: str, mistakes: Sequence[SiteMistake] = ()) -> None:
        super().__init__(code, message, mend)
        self.mistakes = tuple(mistakes)

    @property
    def body(self) -> ReloadRefused:
        """What the API answers."""
        refusal = Refusal(code=self.code, message=self.message, mend=self.mend)
        return ReloadRefused(error=refusal, mistakes=self.mistakes)


class SiteKeeper(Protocol):
    """Whoever has loaded the site."""

    def status(self) -> SiteAnswer:
        """The site that runs."""
        ...

    async def reload(self, removing: int = 0) -> Reloaded:
        """Load it anew; so many devices may be removed in any case.

        Raises:
            SiteRefusedError: that cannot be done, and nothing has changed.
        """
        ...
