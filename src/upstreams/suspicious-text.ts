/** Words of a definition that are not about the tool: orders to the model, markup, text that nobody can read. They may be honest, so they are only shown. */

export type SuspicionKind = 'instruction' | 'markup' | 'encoded'
export type Suspicion = { readonly kind: SuspicionKind; readonly quote: string }

const earlier = '(?:previous|prior|above|earlier|preceding|other|all|any|your|the system)'
const orders = [
  String.raw`\b(?:ignore|disregard|forget|override|bypass)\b[^.\n]{0,30}\b${earlier}\b[^.\n]{0,40}\b(?:instructions?|rules?|prompts?|messages?|guidelines?|tools?|policies|context)\b`,
  String.raw`\b(?:before|after|when|whenever|prior to|instead of)\b[^.\n]{0,25}\b(?:using|calling|invoking|running|executing)\b[^.\n]{0,40}\b(?:you (?:must|should|have to|need to)|always|first)\b`,
  String.raw`\byou (?:must|should|have to|need to)\b[^.\n]{0,40}\b(?:before|prior to)\b[^.\n]{0,25}\b(?:using|calling|invoking|running|executing)\b[^.\n]{0,25}\b(?:any|other|another|every)\b`,
  String.raw`\b(?:do not|don't|never|must not|without)\b[^.\n]{0,30}\b(?:tell|telling|inform|informing|mention|mentioning|reveal|notify|notifying|show|alert|disclose)\b[^.\n]{0,30}\b(?:users?|humans?|anyone|anybody|them|operator)\b`,
  String.raw`\b(?:hide|conceal|keep)\b[^.\n]{0,30}\b(?:from the user|from users|secret from|secretly)\b`,
  String.raw`\b(?:new|updated|important|secret|hidden) (?:system )?instructions?\b\s*[:!]`,
  String.raw`\byou are now\b[^.\n]{0,40}\b(?:mode|assistant|agent|admin|developer)\b`,
  String.raw`\b(?:read|send|include|pass|upload|attach|paste|forward|leak|exfiltrate)\b[^.\n]{0,60}(?:~\/\.\w+|\.ssh\b|id_rsa\b|\.aws\b|\.env\b|mcp\.json\b|\/etc\/passwd|\bsystem prompt\b|\bconversation history\b|\bprivate keys?\b)`,
].map(pattern => new RegExp(pattern, 'i'))

const markup =
  /<!--[\s\S]{0,2000}?-->|<!--|<\/?(?:script|iframe|object|embed|style|svg|img|form|input|link|meta|base|template|a\s+href)\b[^>]{0,200}>?|<\/?(?:system|important|instructions?|secret|hidden|assistant|admin|critical|override)\b[^>]{0,80}>/i

/** Long runs of base64. A path or a hash is none. */
const encoded = /[A-Za-z0-9+/_-]{120,}={0,2}/g

const longestQuote = 120
/** Patterns look no further. */
const mostLooked = 20_000

export function suspicionsIn(text: string): Suspicion[] {
  const looked = text.slice(0, mostLooked)
  const order = orders.map(pattern => pattern.exec(looked)?.[0]).find(found => found !== undefined)
  const tag = markup.exec(looked)?.[0]
  const blob = [...looked.matchAll(encoded)].map(([found]) => found).find(isEncoded)
  return [
    ...(order === undefined ? [] : [{ kind: 'instruction' as const, quote: quoted(order) }]),
    ...(tag === undefined ? [] : [{ kind: 'markup' as const, quote: quoted(tag) }]),
    ...(blob === undefined ? [] : [{ kind: 'encoded' as const, quote: quoted(blob) }]),
  ]
}

function isEncoded(run: string): boolean {
  const kinds = [/[a-z]/, /[A-Z]/, /[0-9]/].filter(kind => kind.test(run)).length
  return kinds === 3 && !/^[0-9a-fA-F]+$/.test(run) && (run.match(/[/_-]/g)?.length ?? 0) < run.length / 12
}

function quoted(text: string): string {
  return text.length > longestQuote ? `${text.slice(0, longestQuote - 1)}…` : text
}
