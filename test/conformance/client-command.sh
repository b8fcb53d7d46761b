#!/bin/sh
# What the conformance runner starts as the client of a scenario. The client is the gateway: it is told by a file in the folder of the first
# argument, and answers through a pipe with how it ended. Of the shell alone, for a Node of its own for each scenario would take longer than the scenario.
set -eu
# Only those are about a gateway as a client: what it relays is asked of it as a server.
case "$MCP_CONFORMANCE_SCENARIO" in auth/*) ;; *) exit 1 ;; esac
answer="$1/$$.answer"
mkfifo "$answer"
printf '%s\n' "$MCP_CONFORMANCE_SCENARIO" "$MCP_CONFORMANCE_PROTOCOL_VERSION" "$2" "${MCP_CONFORMANCE_CONTEXT:-}" > "$1/$$.writing"
mv "$1/$$.writing" "$1/$$.asked"
read -r code < "$answer"
echo "$code"
exit "$code"
