"""A calculator that only answers who has a token of the identity provider: http://127.0.0.1:4200/mcp."""

from fastmcp import FastMCP
from fastmcp.server.auth import RemoteAuthProvider
from fastmcp.server.auth.providers.jwt import JWTVerifier
from fastmcp.server.dependencies import get_access_token

ISSUER = "http://127.0.0.1:4100"
HERE = "http://127.0.0.1:4200"

# A token has to be signed by the identity provider, for this server and nobody else, and allow to calculate.
verifier = JWTVerifier(
    jwks_uri=f"{ISSUER}/jwks",
    issuer=ISSUER,
    audience=f"{HERE}/mcp",
    required_scopes=["calculate"],
)

# Who has none is told where to get one: a 401 that leads to metadata of this server (RFC 9728), which name the issuer.
auth = RemoteAuthProvider(token_verifier=verifier, authorization_servers=[ISSUER], base_url=HERE)

mcp = FastMCP("calculator", auth=auth)


@mcp.tool
def add(a: float, b: float) -> float:
    """Adds two numbers."""
    return a + b


@mcp.tool
def multiply(a: float, b: float) -> float:
    """Multiplies two numbers."""
    return a * b


@mcp.tool
def whoami() -> str:
    """Says whose token came with the call."""
    token = get_access_token()
    claims = token.claims if token else {}
    return claims.get("email") or f"the program {claims['client_id']}"


mcp.run(transport="http", host="127.0.0.1", port=4200, show_banner=False)
