"""Key figures as the API lists them."""

from console.context import ConsoleContext
from console.errors import NotFoundError
from console.models import KeyFigureList
from console.parameters import Arguments
from console.readings import key_figure
from console.spaces import SpacePlan
from console.times import write_time
from facility.catalogue import Group


def list_key_figures(view: ConsoleContext, plan: SpacePlan, arguments: Arguments) -> KeyFigureList:
    """Key figures of one space or of all, of one window or of all; instant ratios have no window.

    Raises:
        NotFoundError: there is no such space.
    """
    node, window = arguments.text("node"), arguments.text("window")
    if node is not None and node not in plan.at:
        raise NotFoundError("unknown_node", f"there is no space {node!r}", "see /api/v1/nodes")
    groups = plan.key_figures.get(node, ()) if node is not None else _all(plan)
    now = view.clock.now()
    figures = (key_figure(view.image, group, now) for group in groups)
    chosen = tuple(figure for figure in figures if window is None or figure.window == window)
    return KeyFigureList(time=write_time(now), kpis=chosen)


def _all(plan: SpacePlan) -> tuple[Group, ...]:
    return tuple(group for groups in plan.key_figures.values() for group in groups)
