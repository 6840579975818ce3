"""The other runners of ``speed.py``, each a process of its own.

    python tests/bench/speed_runners.py sdk URL PROMPTS FOLDER --at-once 20

``sdk``      the official SDK's asynchronous classes and its own wait loop, as a careful person uses
             them: so many jobs in flight, and what was answered 429 is tried again
``threads``  the same of its blocking classes: so many threads, each with a job
``bare``     the three requests that a job needs at least, by aiohttp alone: it knows when a task
             ends, keeps no journal, and stands for the least that Python can do
``fresh``    the same, with a connection made anew for each POST and each download
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiohttp

MODEL, SIZE, KEY = "wan2.2-t2i-flash", "512*512", "sk-sandbox"
PATH = "services/aigc/text2image/image-synthesis"


def pauses() -> Iterator[float]:
    """Seconds between two tries of what was answered 429."""
    pause = 0.5
    while True:
        yield pause * random.uniform(0.5, 1.5)
        pause = min(pause * 2, 16)


async def patiently(ask: Callable[[], Awaitable[Any]]) -> Any:
    """The answer that is not 429: no event tells of it."""
    waits = pauses()
    while (answer := await ask()).status_code == HTTPStatus.TOO_MANY_REQUESTS:  # noqa: ASYNC110
        await asyncio.sleep(next(waits))
    return answer


def patiently_blocking(ask: Callable[[], Any]) -> Any:
    waits = pauses()
    while (answer := ask()).status_code == HTTPStatus.TOO_MANY_REQUESTS:
        time.sleep(next(waits))
    return answer


def prepare_sdk(url: str) -> None:
    import dashscope  # noqa: PLC0415 - it takes a second, and ``bare`` needs none of it

    dashscope.api_key, dashscope.base_http_api_url = KEY, url


async def with_sdk(url: str, prompts: list[str], folder: Path, at_once: int) -> None:
    prepare_sdk(url)
    from dashscope.aigc.image_synthesis import AioImageSynthesis  # noqa: PLC0415

    slots = asyncio.Semaphore(at_once)

    async def job(number: int, session: aiohttp.ClientSession) -> None:
        async with slots:
            task = await patiently(
                lambda: AioImageSynthesis.async_call(MODEL, prompts[number], n=1, size=SIZE)
            )
            ended = await patiently(lambda: AioImageSynthesis.wait(task))
            address = ended.output.results[0].url
            async with session.get(address) as response:
                (folder / f"{number}.png").write_bytes(await response.read())

    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(job(number, session) for number in range(len(prompts))))


def with_threads(url: str, prompts: list[str], folder: Path, at_once: int) -> None:
    prepare_sdk(url)
    import requests  # noqa: PLC0415 - what the SDK itself downloads with
    from dashscope import ImageSynthesis  # noqa: PLC0415

    def job(number: int) -> None:
        task = patiently_blocking(
            lambda: ImageSynthesis.async_call(MODEL, prompts[number], n=1, size=SIZE)
        )
        ended = patiently_blocking(lambda: ImageSynthesis.wait(task))
        response = requests.get(ended.output.results[0].url, timeout=60)
        (folder / f"{number}.png").write_bytes(response.content)

    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(job, range(len(prompts))))  # or what a job raises would be lost


async def bare(
    url: str, prompts: list[str], folder: Path, at_once: int, *, anew: bool = False
) -> None:
    headers = {"Authorization": f"Bearer {KEY}"}
    slots = asyncio.Semaphore(at_once)

    async def job(number: int) -> None:
        body = {
            "model": MODEL,
            "input": {"prompt": prompts[number]},
            "parameters": {"n": 1, "size": SIZE},
        }
        start = {**headers, "X-DashScope-Async": "enable"}
        async with slots:
            async with sending.post(f"{url}/{PATH}", json=body, headers=start) as response:
                task = (await response.json())["output"]["task_id"]
            await asyncio.sleep(0.1)
            async with asking.get(f"{url}/tasks/{task}", headers=headers) as response:
                address = (await response.json())["output"]["results"][0]["url"]
            async with sending.get(address) as response:
                (folder / f"{number}.png").write_bytes(await response.read())

    connector = aiohttp.TCPConnector(force_close=anew)
    async with aiohttp.ClientSession() as asking, aiohttp.ClientSession(connector=connector) as own:
        sending = own if anew else asking
        await asyncio.gather(*map(job, range(len(prompts))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("runner", choices=["sdk", "threads", "bare", "fresh"])
    parser.add_argument("url")
    parser.add_argument("prompts", type=Path, help="a prompt a line")
    parser.add_argument("folder", type=Path, help="for the results")
    parser.add_argument("--at-once", type=int, required=True, help="jobs in flight")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True)
    prompts = arguments.prompts.read_text(encoding="utf-8").splitlines()
    given = (arguments.url, prompts, arguments.folder, arguments.at_once)
    if arguments.runner == "threads":
        with_threads(*given)
    else:
        runners = {"sdk": with_sdk, "bare": bare, "fresh": partial(bare, anew=True)}
        asyncio.run(runners[arguments.runner](*given))


if __name__ == "__main__":
    main()
