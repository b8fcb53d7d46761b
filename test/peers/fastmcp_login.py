"""Nothing but a URL: `python fastmcp_login.py <url> <tool> <arguments as JSON>`; the browser is $BROWSER. Prints JSON."""

import asyncio
import json
import sys

from fastmcp import Client


async def main(url: str, tool: str, arguments: str) -> None:
    async with Client(url, auth="oauth") as client:
        tools = await client.list_tools()
        result = await client.call_tool(name=tool, arguments=json.loads(arguments))
        texts = [block.text for block in result.content if block.type == "text"]
        print(json.dumps({"tools": [one.name for one in tools], "texts": texts}))


asyncio.run(main(*sys.argv[1:]))
