/** What the servers behind the gateway have to offer, as far as it is known. */
import { policyAllows } from '../access/index.ts'
import { canonical } from '../foundation/json.ts'
import { type Catalogue, type Register, targetTool, type Upstream } from '../upstreams/index.ts'
import type { Offer } from './compose.ts'

export type OfferParts = {
  readonly register: Pick<Register, 'find'>
  readonly catalogue: Pick<Catalogue, 'items' | 'tool' | 'trouble' | 'facts'>
}

/** The offer of `group/server`; undefined where there is none. */
export function offerOf(parts: OfferParts, place: string): Offer | undefined {
  const [group = '', name = ''] = place.split('/')
  const upstream = parts.register.find(group, name)
  return upstream === undefined ? undefined : offerOfUpstream(parts, upstream)
}

/** Offers among servers as they will be. What is known of one at another place says nothing of it at the new one. */
export function offersAmong(parts: OfferParts, upstreams: readonly Upstream[]) {
  const byPlace = new Map(upstreams.map(upstream => [`${upstream.group}/${upstream.name}`, upstream]))
  return (place: string): Offer | undefined => {
    const upstream = byPlace.get(place)
    if (upstream === undefined) return undefined
    const now = parts.register.find(upstream.group, upstream.name)
    const isThere = now !== undefined && canonical(now.transport) === canonical(upstream.transport)
    const offer = offerOfUpstream(parts, upstream)
    return isThere ? offer : { ...offer, items: [], isRead: false, trouble: 'It has not been read yet.' }
  }
}

export function offerOfUpstream({ catalogue }: OfferParts, upstream: Upstream): Offer {
  return {
    upstream,
    items: catalogue.items(upstream.id),
    trouble: catalogue.trouble(upstream.id),
    isRead: catalogue.facts(upstream.id) !== undefined,
    allows: tool => policyAllows(upstream.policy, tool),
    isReadOnly: tool => targetTool(upstream, tool, catalogue.tool(upstream.id, tool)).readOnly,
  }
}
