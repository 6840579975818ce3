"""The sandbox's page in a real browser, and the state it shows."""

from __future__ import annotations

import asyncio
import os
import shutil
from contextlib import asynccontextmanager

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import async_playwright, expect

from batchgen.sandbox import Answer, Fail, Faults, Point, Rule
from batchgen.sandbox.faults import Partial

CHROMIUM = shutil.which("chromium")
IMAGES = "/services/aigc/text2image/image-synthesis"
HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script> \u202egpj.exe\u2066\x07 'end'"

pytestmark = pytest.mark.asyncio(loop_scope="module")

in_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="needs a Chromium (Debian: apt-get install chromium)"
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium(tmp_path_factory):
    home = str(tmp_path_factory.mktemp("chromium"))
    expect.set_options(timeout=20_000)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, env={**os.environ, "HOME": home}
        )
        yield browser
        await browser.close()


class Looking:
    """A person at the page. All that the browser complains about is kept in `complaints`."""

    def __init__(self, page, client):
        self.page = page
        self.client = client
        self.complaints = []
        self.fetched = []
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: self.complaints.append(dialog.message))
        page.on("request", lambda request: self.fetched.append(request.url))

    def _heard(self, message):
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)

    @property
    def rows(self):
        return self.page.locator("#list > li")

    @property
    def results_fetched(self):
        return [url for url in self.fetched if "Signature=" in url]

    async def arrive(self, host="127.0.0.1"):
        port = self.client.sandbox.base_url.split(":")[2].split("/")[0]
        await self.page.goto(f"http://{host}:{port}/")
        await self.sees("#connection", "live")

    async def sees(self, place, text):
        await expect(self.page.locator(place)).to_contain_text(text)

    async def filters(self, status):
        await self.page.locator("#filter label", has_text=status).click()

    def passes(self, seconds):
        """That much of the sandbox's time passes at once."""
        self.client.sandbox.clock._start += seconds


@pytest.fixture
def looking(chromium, serving):
    """A page open at a new sandbox, whose time stands all but still.

    In the end, neither the policy was violated nor anything else complained about.
    """

    @asynccontextmanager
    async def looking(*arguments, colour="light", **options):
        async with serving(*arguments, **{"speed": 0.001} | options) as client:
            page = await chromium.new_page(color_scheme=colour)
            person = Looking(page, client)
            try:
                await person.arrive()
                yield person
            finally:
                await page.close()
            assert not person.complaints

    return looking


@in_chromium
async def test_an_empty_sandbox_says_how_to_reach_it(looking):
    """With no task yet, the page names the address and gives the lines to copy."""
    async with looking() as person:
        await person.sees("#empty", f"Point a client at {person.client.sandbox.base_url}")
        await person.sees("#export", f"DASHSCOPE_HTTP_BASE_URL={person.client.sandbox.base_url}")
        await person.sees("#export", "DASHSCOPE_API_KEY=sk-sandbox")
        await person.sees("header", "No money is real")


@in_chromium
async def test_the_lines_are_copied(looking):
    """The button puts the lines for a client's shell on the clipboard."""
    async with looking() as person:
        await person.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        await person.page.get_by_role("button", name="Copy").click()
        await person.sees("#copy", "Copied")
        await person.page.get_by_role("searchbox").press("Control+V")
        pasted = person.page.get_by_role("searchbox")
        await expect(pasted).to_have_value(
            f"export DASHSCOPE_HTTP_BASE_URL={person.client.sandbox.base_url}"
            " export DASHSCOPE_API_KEY=sk-sandbox"
        )


@in_chromium
async def test_a_task_is_seen_on_its_way(looking):
    """A task appears as PENDING, runs with its progress, and succeeds, without a reload."""
    async with looking() as person:
        task_id = await person.client.task(prompt="A fox reads", size="1280*720", seed=7)
        await expect(person.rows).to_contain_text(["Pending"])
        await person.sees("#list", "wan2.6-t2v\xa0· sandbox\xa0· 1280\xd7720\xa0· 5\xa0s")
        await person.sees("#lane-rows", "wan2.6-t2v")
        person.passes(30)
        await expect(person.rows).to_contain_text(["Running"])
        await expect(person.page.get_by_role("progressbar")).to_be_visible()
        await person.sees("#lane-rows", "1 of 5")
        person.passes(600)
        await expect(person.rows).to_contain_text(["Succeeded"])
        await expect(person.page.get_by_role("progressbar")).to_be_hidden()
        await person.sees("#lane-rows", "Nothing runs or waits")
        await person.page.get_by_role("button", name="A fox reads").click()
        await person.sees("#look-facts", task_id)
        await person.sees("#look-facts", "Seed7")


@in_chromium
async def test_the_clip_plays_when_it_is_asked_for(looking):
    """Nothing is fetched for a page that is opened; a click plays the clip."""
    async with looking() as person:
        await person.client.task(size="1280*720", duration=2)
        person.passes(600)
        play = person.page.get_by_role("button", name="Play the clip")
        await expect(play).to_be_visible()
        assert not person.results_fetched
        await play.click()
        video = person.page.locator("dialog video")
        await expect(video).to_have_js_property("readyState", 4)
        await expect(video).to_have_js_property("videoWidth", 1280)
        await expect(video).to_have_js_property("paused", value=False)
        assert await video.evaluate("video => video.duration") == pytest.approx(2, abs=0.1)
        await person.page.keyboard.press("Escape")
        await expect(video).to_have_count(0)


@in_chromium
async def test_pictures_are_shown(looking):
    """A task of two pictures has a thumbnail; both are shown when it is opened."""
    async with looking() as person:
        await person.client.submit(
            "wan2.2-t2i-flash", IMAGES, given={"prompt": "owl"}, n=2, size="512*512"
        )
        person.passes(600)
        thumbnail = person.page.locator(".thumbnail img")
        await expect(thumbnail).to_have_js_property("naturalWidth", 512)
        await person.sees(".thumbnail", "+1")
        await thumbnail.click()
        pictures = person.page.locator("dialog img")
        await expect(pictures).to_have_count(2)
        await expect(pictures.last).to_have_js_property("naturalWidth", 512)


@in_chromium
async def test_a_result_of_yesterday_is_gone(looking):
    """After 24 hours the task is still told of, and its result is said to be gone."""
    async with looking() as person:
        await person.client.task()
        person.passes(600)
        await person.sees("#list", "Succeeded")
        person.passes(24 * 3600)
        await person.sees("#list", "gone after 24 h")
        await expect(person.page.locator(".thumbnail")).to_have_count(0)


@in_chromium
async def test_a_result_that_cannot_be_fetched_is_told(looking):
    """Where the object store refuses, the page says so instead of showing nothing."""
    faults = Faults(Rule(Point.RESULT, Answer(404, "NoSuchKey")))
    async with looking(faults=faults) as person:
        await person.client.task()
        person.passes(600)
        await person.page.get_by_role("button", name="Play the clip").click()
        await person.sees("#look-results", "could not be fetched")
        assert all("404" in complaint for complaint in person.complaints)
        person.complaints.clear()


@in_chromium
async def test_the_bill_warns_of_requests_made_twice(looking):
    """The bill has totals and models, and names the tasks of equal requests."""
    async with looking() as person:
        await person.sees("#billed", "USD 0.00")
        same = [await person.client.task(size="1280*720", seed=1) for _ in range(2)]
        await person.client.submit("wan2.2-t2i-flash", IMAGES, given={"prompt": "owl"}, n=3)
        person.passes(3600)
        await person.sees("#billed", "USD 1.075")
        lines = person.page.locator("#bill-rows tbody tr")
        await expect(lines).to_have_text(
            [
                "wan2.2-t2i-flash13 images0.075",
                "wan2.6-t2v210\xa0s1.00",
                "Total310\xa0s, 3 images1.075",
            ]
        )
        for task_id in same:
            await person.sees("#twice", task_id)


@in_chromium
async def test_a_failure_says_why_and_the_fault_is_named(looking):
    """A task that was made to fail shows code and message; the fault is in the list."""
    faults = Faults(Rule(Point.TASK, Fail(), prompt="forbidden", name="moderation"))
    async with looking(faults=faults) as person:
        await person.sees("#fault-rows", "None so far")
        await person.client.task(prompt="forbidden fruit")
        person.passes(10)
        await person.sees("#list", "Failed")
        await person.sees("#list", "DataInspectionFailed: Input data may contain")
        await person.sees("#fault-rows", "moderation\xa0· task\xa0· wan2.6-t2v")


@in_chromium
async def test_a_hostile_prompt_is_text(looking):
    """Markup in a prompt stays text, and characters that hide or turn it are shown by number."""
    async with looking() as person:
        await person.client.task(prompt=HOSTILE)
        prompt = person.page.locator("#list .prompt")
        shown = HOSTILE.replace("\u202e", "⟨U+202E⟩").replace("\u2066", "⟨U+2066⟩")
        await expect(prompt).to_have_text(shown.replace("\x07", "⟨U+0007⟩"))
        await prompt.click()
        await person.sees("#look-prompt", "<img src=x onerror=alert(1)><script>alert(2)</script>")
        await expect(person.page.locator("main img, dialog img, main script")).to_have_count(0)


@in_chromium
async def test_no_string_can_become_markup(looking):
    """The policy refuses markup even to the page's own script."""
    async with looking() as person:
        refusal = await person.page.locator("#empty").evaluate(
            "place => { try { place.innerHTML = '<b>x</b>' } catch (error) { return error.name } }"
        )
        assert refusal == "TypeError"
        assert all("TrustedHTML" in complaint for complaint in person.complaints)
        person.complaints.clear()


@in_chromium
async def test_thousands_of_tasks_are_paged(looking):
    """The page holds a hundred rows, and leads to the older ones and back."""
    # Every account may submit five times a second.
    keys = {f"sk-{account}": f"account {account}" for account in range(27)}
    async with looking(keys=keys) as person:
        for place in range(1, 131):
            person.client.headers = {"Authorization": f"Bearer sk-{place // 5}"}
            await person.client.task(prompt=f"fox {place}.")
        await expect(person.rows).to_have_count(100)
        await expect(person.rows.first).to_contain_text("fox 130.")
        await person.page.get_by_role("button", name="Older").click()
        await expect(person.rows).to_have_count(30)
        await expect(person.rows.last).to_contain_text("fox 1.")
        await person.page.get_by_role("button", name="Newest").click()
        await expect(person.rows.first).to_contain_text("fox 130.")
        await person.page.get_by_role("searchbox").fill("FOX 12.")
        await expect(person.rows).to_have_count(1)
        await person.filters("Failed")
        await person.sees("#empty", "No task is like that")
        await person.filters("All")
        await expect(person.rows).to_have_count(1)


@in_chromium
async def test_only_pictures_in_sight_are_fetched(looking):
    """A long page of pictures fetches those that are on the screen and the next, not all."""
    keys = {f"sk-{account}": f"account {account}" for account in range(12)}
    async with looking(keys=keys) as person:
        for place in range(60):
            person.client.headers = {"Authorization": f"Bearer sk-{place // 5}"}
            await person.client.submit(
                "wan2.5-t2i-preview", IMAGES, given={"prompt": f"owl {place}"}, n=1
            )
        person.passes(3600)
        await expect(person.page.locator(".thumbnail")).to_have_count(60)
        first = person.page.locator(".thumbnail img").first
        await expect(first).to_have_js_property("complete", value=True)
        assert 0 < len(person.results_fetched) < 50


@in_chromium
async def test_the_page_is_used_by_keyboard(looking):
    """Filters, tasks and the large view are reached without a pointer; the focus comes back."""
    async with looking() as person:
        await person.client.task(prompt="A fox reads")
        await person.client.task(prompt="A kitten runs")
        await expect(person.rows).to_have_count(2)
        await person.page.get_by_role("radio", name="All").focus()
        await person.page.keyboard.press("ArrowRight")
        await expect(person.page.get_by_role("radio", name="Pending")).to_be_checked()
        await person.page.keyboard.press("Tab")
        await person.page.keyboard.press("Tab")
        await person.page.keyboard.press("Enter")
        await person.sees("#look-prompt", "A kitten runs")
        await person.page.keyboard.press("Escape")
        await expect(person.page.get_by_role("button", name="A kitten runs")).to_be_focused()


@in_chromium
async def test_a_row_that_changes_keeps_the_focus(looking):
    """A new task and a new status leave the focus where the person has it."""
    async with looking() as person:
        await person.client.task(prompt="A fox reads")
        fox = person.page.get_by_role("button", name="A fox reads")
        await fox.focus()
        await person.client.task(prompt="A kitten runs")
        person.passes(30)
        await expect(person.rows).to_contain_text(["Running", "Running"])
        await expect(fox).to_be_focused()


@in_chromium
async def test_a_restart_is_survived(looking, serving, tmp_path):
    """The page says that the sandbox has stopped, goes on when it is back, and forgets the tasks
    of one that does not know them.
    """
    async with looking(tmp_path / "one") as person:
        port = int(person.client.sandbox.base_url.split(":")[2].split("/")[0])
        await person.client.task(prompt="A fox reads")
        await person.sees("#list", "A fox reads")
        await person.client.sandbox.__aexit__()
        await person.sees("#connection", "stopped; trying again")
        async with serving(tmp_path / "one") as again:
            await person.sees("#connection", "live")
            await again.task(prompt="A kitten runs")
            await expect(person.rows).to_contain_text(["A kitten runs", "A fox reads"])
        await person.sees("#connection", "stopped")
        async with serving(port=port):
            await person.sees("#empty", "No task yet")
            await expect(person.rows).to_have_count(0)
        assert all("ERR_CONNECTION" in complaint for complaint in person.complaints)
        person.complaints.clear()


@in_chromium
@pytest.mark.parametrize("colour", ["light", "dark"])
async def test_it_fits_a_phone(looking, colour):
    """On a narrow screen nothing is cut off at the side, in light and in dark."""
    async with looking(colour=colour) as person:
        await person.page.set_viewport_size({"width": 360, "height": 740})
        await person.client.task(prompt="Unbroken" * 40)
        person.passes(600)
        await expect(person.page.locator(".thumbnail")).to_be_visible()
        width = await person.page.locator("html").evaluate("root => root.scrollWidth")
        assert width == 360


@in_chromium
async def test_a_row_holds_what_is_in_it(looking):
    """An unbroken account and model break, and what a task took stands in one line."""
    faults = Faults(Rule(Point.TASK, Fail(rendering=58 * 60)))
    async with looking(keys={"sk-sandbox": "a" * 150}, faults=faults) as person:
        await person.page.set_viewport_size({"width": 1280, "height": 800})
        await person.client.task("wan2.6-t2v", "fox")
        person.passes(3600)
        facts, course = person.page.locator(".words .quiet"), person.page.locator(".times .quiet")
        await expect(course).to_have_text("after 58\u00a0min")
        for place in (facts, person.page.locator(".times")):
            assert await place.evaluate("part => part.scrollWidth <= part.clientWidth")
        heights = [
            (await each.bounding_box())["height"]
            for each in (person.page.locator("#list time"), course)
        ]
        assert heights[1] < 1.5 * heights[0]


async def _status_for(client, path, host):
    origin = client.sandbox.base_url.removesuffix("/api/v1")
    headers = client.headers | {"Host": host}
    async with client.session.get(origin + path, headers=headers) as answer:
        return answer.status


@pytest.mark.parametrize("path", ["/", "/sandbox/page.js", "/sandbox/state", "/sandbox/bill"])
async def test_the_face_answers_to_names_of_this_machine_alone(serving, path):
    """A name that somebody else made resolve to this machine gets nothing."""
    async with serving() as client:
        for host in ("127.0.0.1:80", "localhost", "[::1]:8765", "LOCALHOST:1"):
            assert await _status_for(client, path, host) == 200
        for host in ("evil.example", "localhost.evil.example:80", "10.0.0.1", "[::2]", "[", ""):
            assert await _status_for(client, path, host) in {400, 403}


async def test_the_api_answers_to_no_foreign_name(serving):
    """The usual key is known to everybody, and so no wall against a web page elsewhere."""
    async with serving() as client:
        assert await _status_for(client, "/api/v1/tasks", "evil.example:8765") == 403


async def test_what_the_page_is_served_with(serving):
    """The policy allows the page's own files and the results, and the types are what they say."""
    async with serving() as client:
        origin = client.sandbox.base_url.removesuffix("/api/v1")
        for path, kind in (("/", "text/html"), ("/sandbox/icon.svg", "image/svg+xml")):
            async with client.session.get(origin + path) as answer:
                policy = answer.headers["Content-Security-Policy"]
                assert answer.content_type == kind
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
                assert answer.headers["Referrer-Policy"] == "no-referrer"
                assert policy.startswith("default-src 'none'; script-src 'self';")
                assert "unsafe" not in policy


async def _state(client, **query):
    origin = client.sandbox.base_url.removesuffix("/api/v1")
    async with client.session.get(f"{origin}/sandbox/state", params=query) as answer:
        return answer.status, await answer.json()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", "0"),
        ("limit", "201"),
        ("before", "0"),
        ("before", "9" * 30),
        ("before", "x"),
        ("status", "LOST"),
    ],
)
async def test_a_state_nobody_can_mean_is_refused(serving, name, value):
    """A limit, a number or a status out of range is a 400 that says why."""
    async with serving() as client:
        status, answer = await _state(client, **{name: value})
        assert (status, answer["code"]) == (400, "InvalidParameter")


async def test_the_state_leads_through_all_tasks(serving):
    """Following `older` gives every task once, newest first, and then ends."""
    async with serving() as client:
        made = [await client.task(prompt=f"fox {place}") for place in range(5)]
        seen, query = [], {"limit": 2}
        while True:
            _, state = await _state(client, **query)
            seen += [task["id"] for task in state["tasks"]]
            if state["older"] is None:
                break
            query["before"] = state["older"]
        assert seen == made[::-1]


async def test_a_chosen_key_stays_out_of_the_state(serving):
    """Only the key that everybody knows is shown: a person may have given their own."""
    async with serving(keys={"sk-of-mine": "studio"}, key="sk-of-mine") as client:
        _, state = await _state(client)
        assert state["key"] is None
        assert state["accounts"] == ["studio"]
        assert "sk-of-mine" not in str(state)


async def test_only_what_there_is_to_see_has_a_url(serving):
    """An image that failed, and the inspection of a picture, have no result to show."""
    faults = Faults(Rule(Point.TASK, Partial(places=(1, 3)), prompt="owl"))
    async with serving(faults=faults, speed=1e6) as client:
        await client.submit("wan2.2-t2i-flash", IMAGES, given={"prompt": "owl"}, n=4)
        body = {"model": "wan2.2-s2v-detect", "input": {"image_url": "https://example.com/a.png"}}
        await client.post("/services/aigc/image2video/face-detect", body)
        assert client.answer.status == 200
        _, state = await _state(client)
        inspection, images = state["tasks"]
        assert inspection["status"] == images["status"] == "SUCCEEDED"
        assert inspection["results"] == []
        assert [url.split("?")[0][-5] for url in images["results"]] == ["2", "4"]
        assert [place for place, *_ in images["order"]["failed"]] == [1, 3]


async def test_a_long_prompt_is_cut_in_the_state(serving):
    """The state stays small, however long the prompts are."""
    async with serving() as client:
        answer = await client.submit("wan3.0-video", given={"prompt": "fox " * 4000})
        assert answer["output"]["task_id"]
        _, state = await _state(client)
        assert len(state["tasks"][0]["prompt"]) < 2100
        assert len(str(state)) < 5000


async def test_reading_the_state_is_not_counted_against_anybody(serving):
    """Many looks at once are answered, and leave the account's own queries alone."""
    async with serving() as client:
        task_id = await client.task()
        looks = await asyncio.gather(*(_state(client) for _ in range(50)))
        assert {status for status, _ in looks} == {200}
        assert await client.status(task_id) == "PENDING"


async def test_a_browser_elsewhere_may_not_read_the_state(serving):
    """No header lets a page of another origin in."""
    async with serving() as client:
        origin = client.sandbox.base_url.removesuffix("/api/v1")
        headers = {"Origin": "https://evil.example"}
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{origin}/sandbox/state", headers=headers) as answer,
        ):
            assert "Access-Control-Allow-Origin" not in answer.headers
            assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
