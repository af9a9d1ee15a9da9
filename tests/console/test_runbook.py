"""The runbook as it is served to who was called at night."""

import re
from html.parser import HTMLParser
from pathlib import Path

from aiohttp.test_utils import TestClient

RUNBOOK = Path(__file__).parents[2] / "docs" / "runbook.md"


class Outline(HTMLParser):
    """What is in a page: ids, links within it, items of lists, and tags that were never closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.items = 0
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.ids += [given["id"]] if given.get("id") else []
        self.links += [given["href"][1:]] if (given.get("href") or "").startswith("#") else []
        self.items += tag == "li"
        if tag not in {"meta", "link"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


async def page(client: TestClient) -> str:
    async with client.get("/runbook") as response:
        assert response.status == 200
        assert response.content_type == "text/html"
        return await response.text()


async def test_every_section_can_be_linked_to_and_every_link_leads_to_one(client: TestClient) -> None:
    found = Outline(await page(client))
    assert found.open == []
    assert {"leak", "device-silent", "it-inlet-hot", "dcopsdown", "alarms-of-dcops-itself"} <= set(found.ids)
    assert len(found.ids) == len(re.findall("^#", RUNBOOK.read_text("utf-8"), re.MULTILINE))
    assert len(found.links) > 10
    assert set(found.links) <= set(found.ids)


async def test_steps_are_a_list_and_nothing_of_markdown_is_left(client: TestClient) -> None:
    text = await page(client)
    steps = re.findall(r"^(?:\d+\.|-) ", RUNBOOK.read_text("utf-8"), re.MULTILINE)
    assert Outline(text).items == len(steps)
    assert "**" not in text
    assert "`" not in text
    assert "](" not in text
    leak = text.partition('<h3 id="leak">leak</h3>')[2].partition("<h3")[0]
    assert leak.startswith("\n<p>A leak detector is wet.</p>\n<ol>\n<li>Go and look.")
    assert "<strong>No alarm of the plant can be raised</strong>" in text
    assert "<code>df -h</code>" in text


async def test_a_browser_that_has_it_is_not_sent_it_again(client: TestClient) -> None:
    async with client.get("/runbook") as first:
        tag = first.headers["ETag"]
    async with client.get("/runbook", headers={"If-None-Match": tag}) as again:
        assert again.status == 304
