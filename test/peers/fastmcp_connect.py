"""Calls that need an account first: `python fastmcp_connect.py <token> <tool> <plan as JSON>`, a plan being a list of {url, mode, opens}.

Prints one line for each thing a person would see: where to go, and what the call gave."""

import asyncio
import json
import re
import sys

from fastmcp import Client
from fastmcp.client.elicitation import ElicitResult
from fastmcp.client.transports import StreamableHttpTransport


def say(case: dict, **seen) -> None:
    print(json.dumps({"url": case["url"], **seen}), flush=True)


async def run(case: dict, token: str, tool: str) -> None:
    async def open_page(message, response_type, params, context):
        say(case, goTo=params.url)
        return ElicitResult(action="accept")

    handlers = {"elicitation_handler": open_page} if case["opens"] else {}
    transport = StreamableHttpTransport(url=case["url"], auth=token)
    async with Client(transport=transport, mode=case["mode"], **handlers) as client:
        for tries in range(200):
            result = await client.call_tool(tool, {}, raise_on_error=False)
            text = "\n".join(block.text for block in result.content)
            link = re.search(r"http\S+/connect/\S+", text)
            if link is None:
                return say(case, text=text, calls=tries + 1)
            # Whoever reads along opens the link, and the call is made again.
            if tries == 0:
                say(case, goTo=link[0])
            await asyncio.sleep(0.1)


async def main(token: str, tool: str, plan: str) -> None:
    for case in json.loads(plan):
        await run(case, token, tool)


asyncio.run(main(*sys.argv[1:]))
