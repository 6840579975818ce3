"""How the service's list is asked: whole, in peace, within bounds; told by a scripted service."""

from __future__ import annotations

import asyncio
import io
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from functools import partial
from itertools import pairwise

import pytest
from aiohttp import web
from PIL import Image

from batchgen.api import Endpoint, Run, Summary
from batchgen.dashscope.endpoint import Secret
from batchgen.errors import ExitCode
from batchgen.manifest import load

pytestmark = pytest.mark.looptime

START = 1_790_000_000.0
MANIFEST = """
jobs:
  - {id: stamp, prompt: A stamp., model: wan2.2-t2i-flash, size: 512*512}
"""
REFUSED = {"code": "InvalidApiKey", "message": "Invalid API-key provided.", "request_id": "r"}


@dataclass
class Service:
    """Loses the answer to each POST; its list has tasks of others and, perhaps, the lost one."""

    others: int = 0
    made: bool = True
    prompt: str = "A stamp."
    """Of the lost task, as it repeats it."""
    size: int = 100
    """Of a page, whatever is asked for."""
    total: int | None = None
    """What the list counts; None: what it has."""
    counts_page: bool = False
    """Each page counts its own rows and no others, the oldest first."""
    model: str = "wan2.2-t2i-flash"
    """As the list spells it."""
    zone: float = 0.0
    """Seconds by which the list's times are wrong."""
    shifted: bool = False
    """Tasks come in while the list is read: each page repeats the last row of the one before."""
    keys: tuple[str, ...] = ("sk-canary-0123456789",)
    unknown: int = 0
    """How often the lost task is not there when it is asked for."""
    posts: int = 0
    greeted: int = 0
    pages: list[int] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    asked_at: list[float] = field(default_factory=list)
    """When the list, or a task, was asked for."""
    url: str = ""

    def rows(self) -> list[dict]:
        ids = ["lost"] * self.made + [f"other-{number}" for number in range(self.others)]
        moment = int((START + 1 + self.zone) * 1000)
        return [
            {"task_id": name, "model_name": self.model, "gmt_create": moment}
            for name in sorted(ids, reverse=self.counts_page)
        ]

    async def post(self, request: web.Request) -> web.Response:
        self.posts += 1
        request.transport.abort()
        return web.Response()

    def note(self) -> None:
        self.asked_at.append(asyncio.get_running_loop().time())

    async def page(self, request: web.Request) -> web.Response:
        if request.query["page_size"] == "1":  # for the clock alone, before anything is sent
            self.greeted += not self.posts
            return web.json_response({"total": 0, "page_no": 1, "page_size": 1, "data": []})
        self.note()
        number, rows = int(request.query["page_no"]), self.rows()
        self.pages.append(number)
        assert request.query["model_name"] == "wan2.2-t2i-flash"
        first = (number - 1) * self.size - (self.shifted and number > 1)
        page = rows[first : number * self.size]
        total = len(rows) if self.total is None else self.total
        found = {"total": total, "page_no": number, "page_size": self.size, "data": page}
        if self.counts_page:
            return web.json_response({**found, "total": len(page)})
        return web.json_response({**found, "total_page": -(-total // self.size)})

    async def task(self, request: web.Request) -> web.Response:
        self.note()
        name = request.match_info["task"]
        self.asked.append(name)
        if name == "lost" and self.unknown:
            self.unknown -= 1
            return web.json_response({"output": {"task_id": name, "task_status": "UNKNOWN"}})
        prompt = self.prompt if name == "lost" else "A quiet harbour in the fog."
        result = {"orig_prompt": prompt, "url": f"{self.url}/1.png"}
        output = {"task_id": name, "task_status": "SUCCEEDED", "results": [result]}
        return web.json_response({"output": output, "usage": {"image_count": 1}})

    async def picture(self, _request: web.Request) -> web.Response:
        target = io.BytesIO()
        Image.new("RGB", (8, 8), "navy").save(target, "PNG")
        return web.Response(body=target.getvalue())

    @web.middleware
    async def guard(self, request: web.Request, handler) -> web.StreamResponse:
        if self.posts and request.path.startswith("/api/v1/tasks"):
            key = request.headers["Authorization"].removeprefix("Bearer ")
            if key not in self.keys:
                return web.json_response(REFUSED, status=401)
        response = await handler(request)
        response.headers["Date"] = formatdate(
            START + asyncio.get_running_loop().time(), usegmt=True
        )
        return response

    @asynccontextmanager
    async def serving(self):
        application = web.Application(middlewares=[self.guard])
        application.router.add_post("/api/v1/services/{path:.*}", self.post)
        application.router.add_get("/api/v1/tasks", self.page)
        application.router.add_get("/api/v1/tasks/{task}", self.task)
        application.router.add_get("/1.png", self.picture)
        runner = web.AppRunner(application)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self.url = "http://{}:{}".format(*runner.addresses[0])
            yield Endpoint(base_url=f"{self.url}/api/v1", key=Secret("sk-canary-0123456789"))
        finally:
            await runner.cleanup()


@pytest.fixture
def run(tmp_path):
    """Run the manifest against the service; what came of it."""

    async def run(service: Service, text: str = MANIFEST) -> Summary:
        path = tmp_path / "film.yaml"
        path.write_text(text)
        loop = asyncio.get_running_loop()
        return await Run(
            load(path), connect=partial(service.serving), wall=lambda: START + loop.time()
        ).run()

    return run


async def test_all_pages_are_read_by_the_size_that_the_service_gives_them(run):
    """The lost task is on the last of many pages, and each other one is asked for once."""
    summary = await run(service := Service(others=25, size=4))
    assert summary.exit_code is ExitCode.DONE
    assert service.pages == [*range(1, 8)] * 2, "once more when it has settled"
    assert sorted(service.asked[:26]) == sorted({*service.asked})
    assert (service.greeted, service.posts) == (1, 1)


async def test_rows_that_come_twice_are_one_task(run):
    """What is made while the list is read moves its rows to later pages."""
    summary = await run(service := Service(others=7, size=4, shifted=True))
    assert summary.exit_code is ExitCode.DONE
    assert len(service.asked[:8]) == len({*service.asked[:8]}) == 8


async def test_each_question_has_its_turn_among_all_others(run):
    """Twenty a second are allowed, and a twentieth of that is left alone."""
    await run(service := Service(others=25, size=4))
    gaps = [after - before for before, after in pairwise(service.asked_at)]
    assert min(gaps[:30]) >= 1 / 19 - 1e-3


@pytest.mark.parametrize("shifted", [False, True], ids=["once", "one twice"])
async def test_a_list_that_names_fewer_than_it_counts_proves_nothing(run, shifted):
    """One row is missing: it may be ours, so nothing is sent again. One that comes twice is one."""
    service = Service(others=3, made=False, total=4, size=2, shifted=shifted)
    summary = await run(service)
    assert summary.exit_code is ExitCode.NEEDS_A_PERSON
    assert "counts 4 tasks, and names 3" in summary.need_a_person[0].message
    assert service.posts == 1


async def test_a_page_that_counts_itself_alone_is_not_the_whole_list(run):
    """The lost task is on the third of its full pages."""
    summary = await run(service := Service(others=9, size=4, counts_page=True))
    assert summary.exit_code is ExitCode.DONE
    assert service.pages[:3] == [1, 2, 3]
    assert service.posts == 1


@pytest.mark.parametrize("name", ["WAN2.2-T2I-FLASH", "wan2.2-t2i-flash-2025-07-01", "wan/{}"])
async def test_a_model_that_the_list_spells_otherwise_is_the_one_that_was_asked_for(run, name):
    """The lost task is found all the same."""
    service = Service(others=2, model=name.format("wan2.2-t2i-flash"))
    summary = await run(service)
    assert summary.exit_code is ExitCode.DONE
    assert service.posts == 1


async def test_a_list_of_another_zone_is_left_to_a_person(run):
    """Its tasks are younger than itself: nothing is said to be missing there."""
    summary = await run(service := Service(zone=8 * 3600))
    assert summary.exit_code is ExitCode.NEEDS_A_PERSON
    assert service.posts == 1


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ("一只猫。", "一只猫."),
        ("Red fox", "Red fax"),
        ("'\"Hi\" & so'", "&quot;Hi&quot; &amp; so"),
    ],
)
async def test_a_short_prompt_that_comes_back_changed_is_left_to_a_person(run, sent, told):
    """It may be ours: it is not sent again, and not taken either."""
    service = Service(prompt=told)
    summary = await run(service, MANIFEST.replace("A stamp.", sent))
    assert summary.exit_code is ExitCode.NEEDS_A_PERSON
    assert "nearly its prompt" in summary.need_a_person[0].message
    assert service.posts == 1


@pytest.mark.parametrize(
    ("service", "why"),
    [
        (Service(others=250), "251 tasks on it could be the one"),
        (Service(others=101, size=1), "it has 102 tasks"),
    ],
    ids=["candidates", "pages"],
)
async def test_a_list_without_end_is_left_to_a_person(run, service, why):
    """Neither hundreds of tasks nor hundreds of pages are asked for, again and again."""
    summary = await run(service)
    assert summary.exit_code is ExitCode.NEEDS_A_PERSON
    assert why in summary.need_a_person[0].message
    assert not service.asked
    assert service.posts == 1
    assert len(service.pages) < 20


async def test_a_task_that_is_listed_and_not_there_has_not_told_yet(run):
    """The list is ahead of the tasks: it is waited for, and adopted."""
    summary = await run(service := Service(unknown=3))
    assert summary.exit_code is ExitCode.DONE
    assert service.posts == 1


async def test_a_refused_key_settles_no_doubt(run):
    """Exit 5: the list is not asked again and again, and the job waits for the next run."""
    summary = await run(service := Service(keys=("sk-another",)))
    assert summary.exit_code is ExitCode.ACCOUNT
    assert [job.state for job in summary.jobs] == ["in doubt"]
    assert summary.seconds < 60
    service.keys = ("sk-canary-0123456789",)
    again = await run(service)
    assert again.exit_code is ExitCode.DONE
    assert service.posts == 1


async def test_a_prompt_that_was_cut_is_known_by_what_was_sent(run):
    """`long_prompt: cut` sends the start of it, and that is what the task repeats."""
    written = "A stamp. " + "Its colours are many. " * 40
    text = MANIFEST.replace("A stamp.", written).rstrip().rstrip("}")
    service = Service(prompt=written[:500])
    summary = await run(service, f"{text}, long_prompt: cut}}\n")
    assert summary.exit_code is ExitCode.DONE
    assert service.posts == 1
