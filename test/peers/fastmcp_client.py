"""The announcement's example: `python fastmcp_client.py <url> <token> <tool> <arguments as JSON>`; prints JSON."""

import asyncio
import json
import sys

from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport


async def main(url: str, token: str, tool: str, arguments: str) -> None:
    transport = StreamableHttpTransport(url=url, auth=f"Bearer {token}")
    async with Client(transport=transport) as client:
        tools = await client.list_tools()
        result = await client.call_tool(name=tool, arguments=json.loads(arguments))
        texts = [block.text for block in result.content if block.type == "text"]
        print(json.dumps({"tools": [one.name for one in tools], "texts": texts, "data": result.data}))


asyncio.run(main(*sys.argv[1:]))
