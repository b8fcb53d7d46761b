"""The FastMCP client: `python fastmcp_visits.py < plan`. The plan and the lines printed are those of visits.mjs."""

import asyncio
import json
import sys

from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport
from mcp_types import CreateMessageResult

PATIENCE_S = 30
BEFORE_CANCELLING_S = 0.7


def client_for(plan: dict, **handlers) -> Client:
    return Client(transport=StreamableHttpTransport(url=plan["url"], auth=plan["token"]), **handlers)


def text_of(blocks) -> str:
    return "\n".join(block.text for block in blocks if getattr(block, "text", None) is not None)


async def visit(plan: dict) -> dict:
    found = {"server": plan["server"], "connected": False, "tools": None, "text": None, "error": None}
    try:
        async with asyncio.timeout(PATIENCE_S), client_for(plan) as client:
            found["connected"] = True
            found["tools"] = [one.name for one in await client.list_tools()]
            result = await client.call_tool(plan["tool"], plan["arguments"], raise_on_error=False)
            found["text"] = text_of(result.content)
    except BaseException as error:
        found["error"] = f"{type(error).__name__}: {error}"[:2000]
    return found


async def attempt(plan: dict) -> dict:
    feature, subject, arguments = plan["feature"], plan["subject"], plan.get("arguments", {})
    found = {"server": plan["server"], "feature": feature, "offered": True, "text": None, "seen": 0, "error": None}

    async def count(*_) -> None:
        found["seen"] += 1

    async def elicit(*_):
        await count()
        return plan["answer"]

    async def sample(*_):
        await count()
        return CreateMessageResult.model_validate(plan["answer"])

    handlers = {"elicitation": {"elicitation_handler": elicit}, "sampling": {"sampling_handler": sample}}
    try:
        async with asyncio.timeout(PATIENCE_S), client_for(plan, **handlers.get(feature, {})) as client:
            if feature == "resources":
                found["text"] = text_of(await client.read_resource(subject))
            elif feature == "prompts":
                prompt = await client.get_prompt(subject, arguments)
                found["text"] = text_of(message.content for message in prompt.messages)
            elif feature == "cancellation":
                await asyncio.wait_for(client.call_tool(subject, arguments), BEFORE_CANCELLING_S)
            else:
                result = await client.call_tool(subject, arguments, progress_handler=count)
                if feature != "progress":
                    found["seen"] = min(found["seen"], 1)
                found["text"] = text_of(result.content)
    except BaseException as error:
        found["error"] = f"{type(error).__name__}: {error}"[:2000]
    return found


async def main() -> None:
    plan = json.load(sys.stdin)
    for one in plan["visits"]:
        print(json.dumps(await visit(one)), flush=True)
    for one in plan["trials"]:
        print(json.dumps(await attempt(one)), flush=True)


asyncio.run(main())
