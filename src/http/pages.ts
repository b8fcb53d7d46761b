/** What this is, at its bare address. Nothing in it comes from outside. */
import { html } from '../foundation/html.ts'
import { type Page, page } from '../foundation/page.ts'

export const landingPage: Page = page({
  title: 'Gatehouse',
  body: html`
<h1>Gatehouse</h1>
<p>An MCP gateway: one place between AI agents and the tools they call.</p>
<ul>
  <li>MCP servers are at <code>/mcp/{group}/{server}/server</code></li>
  <li>The management API is described in <a href="/api/v1/openapi.json">openapi.json</a></li>
  <li>People <a href="/sign-in">sign in</a> here</li>
  <li>Not claimed yet? Open the link the gateway printed at its start; it leads to <a href="/claim">/claim</a></li>
</ul>`,
})
