"""A FastMCP server over HTTP, both eras on one URL: `python fastmcp_server.py <port>`."""

import sys

from fastmcp import FastMCP

mcp = FastMCP("letters")


@mcp.tool
def count(text: str, letter: str) -> int:
    """Counts a letter in a text."""
    return text.count(letter)


@mcp.resource("letters://alphabet")
def alphabet() -> str:
    return "abcdefghijklmnopqrstuvwxyz"


@mcp.prompt
def spell(word: str) -> str:
    return f"Please spell {word}."


mcp.run(transport="http", host="127.0.0.1", port=int(sys.argv[1]), show_banner=False)
