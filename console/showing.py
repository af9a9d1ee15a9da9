"""What is shown: all that is prepared of one site, and the change to another."""

import numpy as np

from console.context import ConsoleContext
from console.live import LiveFeed
from console.routes import Answer, Route, api_routes
from console.spaces import SpacePlan
from facility.devices import DeviceKind


class Shown:
    """One site, ready to be shown. Takes a while to make, and may be made in any thread."""

    def __init__(self, view: ConsoleContext, like: "Shown | None" = None) -> None:
        """``like`` shows a similar site; what would be the same is shared with it."""
        self.view = view
        self.plan: SpacePlan = SpacePlan(view.site, view.catalogue, like.plan if like is not None else None)
        columns, kinds = view.site.columns, [str(kind) for kind in DeviceKind]
        self.kinds = np.array(kinds, dtype=object)[columns.kinds]
        """Of each device."""
        self.feed = LiveFeed(view, self.plan)
        self.routes: tuple[Route, ...] = api_routes(view, self.plan, self.feed)
        self.answers: dict[str, Answer] = {route.path: route.answer for route in self.routes}


class Showing:
    """What the pages and the API show at present."""

    def __init__(self, view: ConsoleContext) -> None:
        self.current = Shown(view)

    def change(self, shown: Shown) -> None:
        """Show another site from now on; streams begin anew with all of it."""
        self.current = shown
