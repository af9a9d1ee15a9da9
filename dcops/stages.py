"""Stages: groups of tasks that start one after the other and stop in reverse order."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any

Work = Coroutine[Any, Any, None]
"""What a task runs; what it could send or receive is nobody's concern here."""


@asynccontextmanager
async def stage(tasks: Mapping[str, Work]) -> AsyncIterator[None]:
    """Run named tasks while the body runs; end them when it ends.

    A task that fails ends the body, and its error leaves as the only one of an ``ExceptionGroup``.
    """
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(work, name=name) for name, work in tasks.items()]
        try:
            yield
        finally:
            for task in running:
                task.cancel()
