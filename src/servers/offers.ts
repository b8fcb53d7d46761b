/** What the servers behind the gateway have to offer, as far as it is known. */
import { policyAllows } from '../access/index.ts'
import { type Catalogue, type Register, targetTool, type Upstream } from '../upstreams/index.ts'
import type { Offer } from './compose.ts'

export type OfferParts = {
  readonly register: Pick<Register, 'find'>
  readonly catalogue: Pick<Catalogue, 'items' | 'tool' | 'trouble'>
}

/** The offer of `group/server`; undefined where there is none. */
export function offerOf(parts: OfferParts, place: string): Offer | undefined {
  const [group = '', name = ''] = place.split('/')
  const upstream = parts.register.find(group, name)
  return upstream === undefined ? undefined : offerOfUpstream(parts, upstream)
}

export function offerOfUpstream({ catalogue }: OfferParts, upstream: Upstream): Offer {
  return {
    upstream,
    items: catalogue.items(upstream.id),
    trouble: catalogue.trouble(upstream.id),
    allows: tool => policyAllows(upstream.policy, tool),
    isReadOnly: tool => targetTool(upstream, tool, catalogue.tool(upstream.id, tool)).readOnly,
  }
}
