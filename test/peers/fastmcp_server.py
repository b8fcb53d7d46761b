"""A FastMCP server over HTTP, both eras on one URL: `python fastmcp_server.py <port>`."""

import asyncio
import sys

from fastmcp import Context, FastMCP

mcp = FastMCP("letters")


@mcp.tool
def count(text: str, letter: str) -> int:
    """Counts a letter in a text."""
    return text.count(letter)


@mcp.tool
async def dictate(text: str, ctx: Context, pause: float = 0.05) -> str:
    """Says a text letter by letter, with progress."""
    for at, _ in enumerate(text):
        await ctx.report_progress(at + 1, len(text))
        await asyncio.sleep(pause)
    return f"That was {text}."


@mcp.resource("letters://alphabet")
def alphabet() -> str:
    return "abcdefghijklmnopqrstuvwxyz"


@mcp.prompt
def spell(word: str) -> str:
    return f"Please spell {word}."


mcp.run(transport="http", host="127.0.0.1", port=int(sys.argv[1]), show_banner=False)
