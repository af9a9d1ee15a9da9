"""Every route of the API in one table: path, parameters, type of the answer, and who answers."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from console.alarms import MOST_LISTED, list_alarms
from console.collection import NO_LIMIT, STATES, collection_answer, endpoint_costs, list_lessons
from console.collection_models import (
    CollectionAnswer,
    EndpointCostAnswer,
    LessonList,
)
from console.context import ConsoleContext
from console.history import HistoryReader
from console.kpis import list_key_figures
from console.live import LiveFeed
from console.models import (
    AlarmList,
    DeviceNode,
    HistoryAnswer,
    KeyFigureList,
    LiveTick,
    NodeTree,
    Point,
    PointList,
    SpaceNode,
)
from console.nodes import Nodes
from console.parameters import Arguments, Kind, Parameter
from console.points import Points
from console.process_models import ProcessAnswer
from console.site_models import SiteAnswer
from console.spaces import SpacePlan
from facility.quantities import Window

Answer = Callable[[Arguments], Awaitable[object]]

NODE_ID = Parameter(name="id", note="space or device id", in_path=True)
SERIES_IN_PATH = Parameter(name="series", note="GROUP.FIELD, such as rack-01.power", in_path=True)
PAGE = (
    Parameter(name="limit", note="how many", kind=Kind.INTEGER, low=1, high=1000, default=100),
    Parameter(name="offset", note="how many to skip", kind=Kind.INTEGER, high=100_000_000),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One GET route that answers JSON."""

    path: str
    summary: str
    answers: tuple[type, ...]
    """Types of the body, one of which it is."""
    answer: Answer
    parameters: tuple[Parameter, ...] = ()


def api_routes(view: ConsoleContext, plan: SpacePlan, feed: LiveFeed) -> tuple[Route, ...]:
    """The routes under ``/api/v1`` but for the stream and the description."""
    return (
        *_value_routes(view, plan, feed),
        *_judgement_routes(view, plan),
        *_collection_routes(view),
        _process_route(view),
        _site_route(view),
    )


def _value_routes(view: ConsoleContext, plan: SpacePlan, feed: LiveFeed) -> tuple[Route, ...]:
    """What spaces, devices and points show now and showed before."""
    nodes, points, history = Nodes(view, plan, feed), Points(view, plan), HistoryReader(view)
    return (
        Route(
            path="/api/v1/nodes",
            summary="All spaces, from the campus to the racks, with their headline numbers",
            answers=(NodeTree,),
            answer=nodes.tree,
        ),
        Route(
            path="/api/v1/live",
            summary="What the stream begins with: the live numbers of all spaces, without a stream",
            answers=(LiveTick,),
            answer=feed.now,
        ),
        Route(
            path="/api/v1/nodes/{id}",
            summary="One space with its rollups, or one device with its points",
            answers=(SpaceNode, DeviceNode),
            answer=nodes.node,
            parameters=(NODE_ID,),
        ),
        Route(
            path="/api/v1/points",
            summary="Points of devices, filtered and paged",
            answers=(PointList,),
            answer=points.list,
            parameters=(
                Parameter(name="device", note="device id"),
                Parameter(name="type", note="point type, such as active_power"),
                Parameter(name="space", note="space id; devices in smaller spaces count too"),
                *PAGE,
            ),
        ),
        Route(
            path="/api/v1/points/{series}",
            summary="One point or derived series, now",
            answers=(Point,),
            answer=points.point,
            parameters=(SERIES_IN_PATH,),
        ),
        Route(
            path="/api/v1/history",
            summary="What was stored of one series; by default the last hour",
            answers=(HistoryAnswer,),
            answer=history.read,
            parameters=(
                Parameter(name="series", note="GROUP.FIELD, such as rack-01.power", required=True),
                Parameter(name="start", note="ISO 8601, epoch seconds or milliseconds", kind=Kind.TIME),
                Parameter(
                    name="stop", note="ISO 8601, epoch seconds or milliseconds; default now", kind=Kind.TIME
                ),
                Parameter(
                    name="step", note="10s, 5m, 1h, 1d, or raw; chosen for you if absent", kind=Kind.STEP
                ),
            ),
        ),
    )


def _judgement_routes(view: ConsoleContext, plan: SpacePlan) -> tuple[Route, ...]:
    """What is made of it: key figures and alarms."""

    async def kpis(arguments: Arguments) -> KeyFigureList:
        return list_key_figures(view, plan, arguments)

    async def alarms(arguments: Arguments) -> AlarmList:
        return list_alarms(view, plan, arguments)

    return (
        Route(
            path="/api/v1/kpis",
            summary="Key figures with their coverage and whether they are complete",
            answers=(KeyFigureList,),
            answer=kpis,
            parameters=(
                Parameter(name="node", note="space id"),
                Parameter(name="window", note="period that ends now", choices=tuple(Window)),
            ),
        ),
        Route(
            path="/api/v1/alarms",
            summary="Active alarms, or those that ended lately; highest priority first, then newest",
            answers=(AlarmList,),
            answer=alarms,
            parameters=(
                Parameter(name="state", note="default active", choices=("active", "recent")),
                Parameter(name="priority", note="only this one", choices=("high", "medium", "low")),
                Parameter(name="space", note="space id; smaller spaces in it count too"),
                Parameter(
                    name="limit",
                    note="how many",
                    kind=Kind.INTEGER,
                    low=1,
                    high=MOST_LISTED,
                    default=MOST_LISTED,
                ),
            ),
        ),
    )


def _site_route(view: ConsoleContext) -> Route:
    async def site(_: Arguments) -> SiteAnswer:
        return view.keeper.status()

    return Route(
        path="/api/v1/site",
        summary="The running site, and how its last reload went",
        answers=(SiteAnswer,),
        answer=site,
    )


def _process_route(view: ConsoleContext) -> Route:
    async def process(_: Arguments) -> ProcessAnswer:
        return view.process()

    return Route(
        path="/api/v1/process",
        summary="How the process is doing: CPU by stage, memory, late polls, stalls, what stores lack",
        answers=(ProcessAnswer,),
        answer=process,
    )


def _collection_routes(view: ConsoleContext) -> tuple[Route, ...]:
    """How collecting goes, what it costs and what it has taught."""

    async def collection(arguments: Arguments) -> CollectionAnswer:
        return await collection_answer(view, arguments)

    async def endpoint(arguments: Arguments) -> EndpointCostAnswer:
        return endpoint_costs(view, arguments)

    async def lessons(arguments: Arguments) -> LessonList:
        return list_lessons(view, arguments)

    return (
        Route(
            path="/api/v1/collection",
            summary="How collecting is going: totals, endpoints, devices",
            answers=(CollectionAnswer,),
            answer=collection,
            parameters=(
                Parameter(
                    name="state",
                    note="only devices in these states, separated by commas",
                    choices=STATES,
                    many=True,
                ),
                Parameter(
                    name="limit",
                    note="at most this many endpoints and devices, those in trouble first; 0: all",
                    kind=Kind.INTEGER,
                    high=1000,
                    default=NO_LIMIT,
                ),
            ),
        ),
        Route(
            path="/api/v1/collection/endpoints/{id}",
            summary="One endpoint, and how much of its time each of its devices and reads takes",
            answers=(EndpointCostAnswer,),
            answer=endpoint,
            parameters=(
                Parameter(name="id", note="endpoint id", in_path=True),
                Parameter(
                    name="limit", note="how many devices", kind=Kind.INTEGER, low=1, high=1000, default=20
                ),
            ),
        ),
        Route(
            path="/api/v1/collection/lessons",
            summary="What was learned about devices: values they refuse, who they are",
            answers=(LessonList,),
            answer=lessons,
            parameters=(Parameter(name="device", note="only this device"),),
        ),
    )
