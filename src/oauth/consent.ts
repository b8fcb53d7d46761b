/** Between the question of a client and the answer: sign-in and consent, in the browser that the question came with. */
import { createHmac, timingSafeEqual } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import type { Interaction, Provider } from 'oidc-provider'
import type { AuditRecord } from '../audit/index.ts'
import { fail } from '../foundation/errors.ts'
import { isObject } from '../foundation/json.ts'
import { readForm } from '../foundation/read-form.ts'
import { hostOf, isLocalRedirect } from '../foundation/redirect-uri.ts'
import type { Caller } from '../foundation/route.ts'
import type { BrowserSession } from '../identity/index.ts'
import { kindOf } from './client-rules.ts'
import { consentPage, type Question } from './consent-page.ts'
import { sendPage } from './error-page.ts'
import { tell } from './events.ts'
import { type ConsentRules, consentOf, isRememberable, nameOf, newGrant } from './existing-grant.ts'
import { type Resource, type ResourceParts, resourceOf } from './resources.ts'
import { type Visit, visit } from './visit.ts'

export type ConsentParts = ResourceParts &
  ConsentRules & {
    readonly audit: AuditRecord
    /** Ties the form to the browser it was shown in. */
    readonly csrfKey: Buffer
    /** `group/server` of all that the person may use. */
    usable(person: Caller): readonly string[]
  }

/** Serves `/oauth/interaction/{uid}`, which only the browser reaches that began it. */
export async function interact(parts: ConsentParts, provider: Provider): Promise<void> {
  const { request, response, session } = visit()
  const interaction = await begun(provider)
  if (session === undefined) return toSignIn(response, interaction.uid)
  if (request.method === 'POST') return decide(parts, provider, { interaction, session })
  if (interaction.prompt.name === 'login') return signedIn(provider, { interaction, session })
  return ask(parts, provider, { interaction, session })
}

type Asked = { readonly interaction: Interaction; readonly session: BrowserSession }

async function begun(provider: Provider): Promise<Interaction> {
  const { request, response } = visit()
  const path = (request.url ?? '').split('?', 1)[0]
  try {
    const interaction = await provider.interactionDetails(request, response)
    if (path === `/oauth/interaction/${interaction.uid}`) return interaction
  } catch (cause) {
    fail('oauth.not_here', { why: 'It expired, or was begun in another browser.', cause })
  }
  return fail('oauth.not_here', { why: 'It was begun in another browser.' })
}

function toSignIn(response: ServerResponse, uid: string): void {
  const back = encodeURIComponent(`/oauth/interaction/${uid}`)
  response.writeHead(302, { location: `/sign-in?return=${back}`, 'cache-control': 'no-store' }).end()
}

/** They are signed in; where the client wants it to be proved anew, they are once it is younger than the question. */
async function signedIn(provider: Provider, { interaction, session }: Asked): Promise<void> {
  const { request, response } = visit()
  const wantsAnew = interaction.prompt.reasons.some(
    reason => reason === 'login_prompt' || reason === 'max_age',
  )
  const isNew = session.authenticatedAt >= interaction.iat * 1000
  if (wantsAnew && !isNew) {
    const back = encodeURIComponent(`/oauth/interaction/${interaction.uid}`)
    response
      .writeHead(302, { location: `/sign-in?again=1&return=${back}`, 'cache-control': 'no-store' })
      .end()
    return
  }
  const ts = Math.floor(session.authenticatedAt / 1000)
  const login = { accountId: session.principal.id, ts, remember: true }
  await provider.interactionFinished(request, response, { login }, { mergeWithLastSubmission: false })
}

async function ask(parts: ConsentParts, provider: Provider, asked: Asked): Promise<void> {
  checkSamePerson(asked)
  const known = await understood(parts, provider, asked)
  if (known === undefined) return refuse(parts, provider, asked, notThere)
  sendPage(visit().response, 200, consentPage(known.question))
}

/** Whoever answers is who was asked. */
function checkSamePerson({ interaction, session }: Asked): void {
  if (interaction.session?.accountId !== session.principal.id)
    fail('oauth.not_here', { why: 'Somebody else is signed in by now.' })
}

type Understood = {
  readonly question: Question
  readonly resource: Resource
  readonly client: NonNullable<Awaited<ReturnType<Provider['Client']['find']>>>
}

/** Undefined where the person may not use what the client is for, or it is not there. */
async function understood(
  parts: ConsentParts,
  provider: Provider,
  { interaction, session }: Asked,
): Promise<Understood | undefined> {
  const { params, uid } = interaction
  const text = (name: string) => (typeof params[name] === 'string' ? String(params[name]) : '')
  const client = await provider.Client.find(text('client_id')).catch(noClient)
  const resource = resourceOf(parts, text('resource'))
  if (client === undefined || resource === undefined) return undefined
  const usable = parts.usable(session.principal)
  const { server } = resource
  const place = server && `${server.group}/${server.name}`
  if (place !== undefined && !usable.includes(place)) return undefined
  const redirect = text('redirect_uri')
  const scopes = text('scope')
    .split(' ')
    .filter(scope => scope.startsWith('mcp:'))
  return {
    client,
    resource,
    question: {
      client: { id: client.clientId, name: nameOf(client), kind: kindOf(client.clientId) },
      person: session.principal.name,
      redirect: { host: hostOf(redirect), origin: originOf(redirect), isLocal: isLocalRedirect(redirect) },
      resource: resource.url,
      scopes,
      servers: place === undefined ? usable : [place],
      isChoice:
        place === undefined && usable.length > 0 && scopes.every(scope => scope.split(':').length === 2),
      isUnsaid: resource.isWholeGateway,
      action: `/oauth/interaction/${uid}`,
      csrf: csrfOf(parts, { uid, session }),
    },
  }
}

/** The document about it was good a moment ago, and is not any more. */
function noClient(error: unknown): never {
  if (!isObject(error) || error.error !== 'invalid_client') throw error
  return fail('oauth.not_here', {
    why: 'What describes the application cannot be read, or is not as it must be.',
  })
}

function originOf(redirect: string): string {
  const url = URL.parse(redirect)
  if (url === null) return "'none'"
  return url.protocol === 'http:' || url.protocol === 'https:' ? url.origin : url.protocol
}

function csrfOf(
  { csrfKey }: ConsentParts,
  { uid, session }: { uid: string; session: BrowserSession },
): string {
  return createHmac('sha256', csrfKey).update(`${uid} ${session.id}`).digest('base64url')
}

async function decide(parts: ConsentParts, provider: Provider, asked: Asked): Promise<void> {
  const { interaction, session } = asked
  const form = await readForm(visit().request)
  checkForm(parts, visit(), {
    given: form.get('csrf') ?? '',
    expected: csrfOf(parts, { uid: interaction.uid, session }),
  })
  checkSamePerson(asked)
  if (interaction.prompt.name !== 'consent')
    fail('oauth.not_here', { why: 'It does not wait for an answer.' })
  if (form.get('decision') !== 'approve')
    return refuse(parts, provider, asked, {
      error: 'access_denied',
      error_description: 'the person did not allow it',
    })
  const known = await understood(parts, provider, asked)
  if (known === undefined) return refuse(parts, provider, asked, notThere)
  return approve(parts, provider, { ...asked, known, form })
}

/** A form counts only from the page that we showed, in the browser that we showed it in. */
function checkForm(
  { addresses }: ConsentParts,
  { request }: Visit,
  { given, expected }: { given: string; expected: string },
): void {
  const isSameOrigin = request.headers.origin === addresses.origin()
  const [a, b] = [Buffer.from(given), Buffer.from(expected)]
  if (!isSameOrigin || a.length !== b.length || !timingSafeEqual(a, b)) fail('oauth.forbidden')
}

const notThere = {
  error: 'invalid_target',
  error_description: 'there is no such server, or the person has no access to it',
}

async function refuse(
  { audit }: ConsentParts,
  provider: Provider,
  { interaction, session }: Asked,
  result: { error: string; error_description: string },
): Promise<void> {
  const { request, response } = visit()
  const { client_id: clientId, resource, scope } = interaction.params
  await tell(audit, {
    action: 'oauth.consent',
    outcome: 'denied',
    who: session.principal,
    clientId: String(clientId),
    error: result.error,
    why: result.error_description,
    detail: { resource, scope },
  })
  await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false })
}

type Approval = Asked & { readonly known: Understood; readonly form: ReadonlyMap<string, string> }

async function approve(
  parts: ConsentParts,
  provider: Provider,
  { interaction, session, known, form }: Approval,
): Promise<void> {
  const { request, response } = visit()
  const { client, question } = known
  const scopes = narrowedBy(form, question)
  if (scopes.length === 0)
    return refuse(
      parts,
      provider,
      { interaction, session },
      { error: 'access_denied', error_description: 'the person left no server' },
    )
  const params = { ...interaction.params, scope: [...otherScopes(interaction), ...scopes].join(' ') }
  const asking = { userId: session.principal.id, client, params }
  const isWhole = scopes.join(' ') === question.scopes.join(' ')
  const grant = await newGrant(provider, asking)
  if (isWhole && isRememberable(asking)) await parts.store.grants.agree(consentOf(asking))
  await tell(parts.audit, {
    action: 'oauth.consent',
    outcome: 'ok',
    who: session.principal,
    clientId: client.clientId,
    detail: {
      resource: question.resource,
      scope: scopes.join(' '),
      grant: grant.jti,
      redirect: question.redirect.host,
    },
  })
  // What the person took away is gone from the question itself, so that nothing later gives it back.
  Object.assign(interaction, { params })
  await interaction.persist()
  await provider.interactionFinished(request, response, { consent: { grantId: grant.jti } })
}

function otherScopes({ params }: Interaction): string[] {
  return String(params.scope ?? '')
    .split(' ')
    .filter(scope => scope !== '' && !scope.startsWith('mcp:'))
}

function narrowedBy(
  form: ReadonlyMap<string, string>,
  { isChoice, scopes, servers }: Question,
): readonly string[] {
  if (!isChoice) return scopes
  const left = servers.filter(server => form.get(`server:${server}`) === 'yes')
  if (left.length === servers.length) return scopes
  return scopes.flatMap(scope => left.map(server => `${scope}:${server}`))
}
