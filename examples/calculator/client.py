"""Uses both calculators with one token, that of the gateway: `GATEHOUSE_TOKEN=... python client.py`."""

import asyncio
import os

from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport

GATEWAY = "http://127.0.0.1:4000"


async def main() -> None:
    for server in ("calculator", "calculator-nightly"):
        url = f"{GATEWAY}/mcp/office/{server}/server"
        transport = StreamableHttpTransport(url=url, auth=os.environ["GATEHOUSE_TOKEN"])
        async with Client(transport) as client:
            product = await client.call_tool("multiply", {"a": 6, "b": 7})
            who = await client.call_tool("whoami", {})
            print(f"{server}: 6 times 7 is {product.data:g}, said to {who.data}")


asyncio.run(main())
