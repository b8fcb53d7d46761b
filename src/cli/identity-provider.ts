import type { Command } from 'commander'
import { fail } from '../foundation/errors.ts'
import { isObject, type JsonObject } from '../foundation/json.ts'
import { path } from './api.ts'
import { exitCodes } from './command-error.ts'
import { commaList, type Kit, leaf, type SharedOptions } from './kit.ts'
import { secretsFor } from './secrets.ts'
import { type Column, cell } from './table.ts'

const columns: readonly Column[] = [
  ['NAME', 'name'],
  ['PRESET', 'preset'],
  ['ISSUER', 'issuer'],
  ['SIGN-IN', item => (isObject(item.use) ? item.use.signIn : '')],
  ['BEARER', item => (isObject(item.use) ? item.use.bearer : '')],
  ['PEOPLE', 'people'],
]

type AddOptions = SharedOptions & {
  readonly issuer: string
  readonly preset?: string
  readonly title?: string
  readonly clientId?: string
  readonly clientSecret?: string
  readonly signIn?: boolean
  readonly bearer?: string[]
  readonly workloads?: boolean
  readonly idJag?: boolean
  readonly onBehalf?: boolean
  readonly signInScopes?: string[]
  readonly audiences?: string[]
  readonly domains?: string[]
  readonly map?: string[]
  readonly teamPrefix?: string
  readonly invited?: boolean
  readonly bindTeam?: string
  readonly bindGroups?: string
  readonly jwksUri?: string
  readonly allowPrivateNetwork?: boolean
}

export function addIdentityProviderCommands(program: Command, kit: Kit): void {
  const provider = program
    .command('identity-provider')
    .description('where people of companies come from: OpenID Connect issuers')
  leaf(provider, 'list', 'list identity providers').action((options: SharedOptions) =>
    kit.online(options, 'Listing identity providers', async ({ api }) =>
      kit.showList(options, await api.list('/identity-providers'), columns),
    ),
  )
  leaf(provider, 'show <name>', 'show an identity provider').action((name: string, options: SharedOptions) =>
    kit.online(options, 'Reading the identity provider', async ({ api }) => {
      const shown = await api.get(path`/identity-providers/${name}`)
      kit.show(options, shown, () =>
        Object.entries(shown).map(([key, value]) => `${key.padEnd(20)} ${cell(textOf(value))}`),
      )
    }),
  )
  addAdding(provider, kit)
  addTesting(provider, kit)
  leaf(provider, 'remove <name>', 'remove an identity provider')
    .option('--disable-people', 'also while people come from it, who are disabled then')
    .action((name: string, options: SharedOptions & { readonly disablePeople?: boolean }) =>
      kit.online(options, 'Removing the identity provider', async ({ api }) => {
        const query = options.disablePeople ? '?people=disable' : ''
        await api.remove(path`/identity-providers/${name}` + query)
        kit.show(options, { removed: name }, () => [`Removed the identity provider ${name}.`])
      }),
    )
}

function textOf(value: unknown): unknown {
  return isObject(value) || Array.isArray(value) ? JSON.stringify(value) : value
}

function addAdding(provider: Command, kit: Kit): void {
  leaf(provider, 'add <name>', 'add an identity provider')
    .requiredOption('--issuer <url>', 'exactly as its tokens name it')
    .option('--preset <product>', 'oidc, okta, entra, google or keycloak')
    .option('--title <text>', 'what people read on the button that signs them in')
    .option('--sign-in', 'its people sign in here in a browser')
    .option('--client-id <id>', 'of the gateway, as its client')
    .option('--client-secret <secret>', `\${env:NAME} or \${file:/path}, read where this command runs`)
    .option('--bearer <where>', 'take its JWTs as bearer tokens: mcp, api', commaList)
    .option('--workloads', 'its JWTs may stand for virtual accounts that name them')
    .option('--id-jag', 'it may let OAuth clients act for its people')
    .option('--on-behalf', 'keep what it gives its people at sign-in, for servers that are called with it')
    .option('--sign-in-scopes <scopes>', 'further scopes to ask for then, comma-separated', commaList)
    .option('--audiences <texts>', 'whom these tokens must be for, comma-separated', commaList)
    .option('--domains <domains>', 'whose addresses it may vouch for, comma-separated', commaList)
    .option('--map <pairs>', 'groups of theirs to teams of ours: group=team, comma-separated', commaList)
    .option('--team-prefix <text>', 'every group that begins with it is a team, by the rest of its name')
    .option('--invited', 'only people who are known already come in')
    .option('--bind-team <team>', 'its people have what this team is granted, and never more')
    .option('--bind-groups <prefix>', 'its people never get beyond groups that begin so')
    .option('--jwks-uri <url>', 'where its keys are, if it has no discovery')
    .option('--allow-private-network', 'let the gateway reach it in a private network, and on loopback')
    .action((name: string, options: AddOptions) =>
      kit.online(options, 'Adding the identity provider', async ({ api }) => {
        const secrets = secretsFor(options.clientSecret ?? '', kit)
        const added = await api.post('/identity-providers', { name, ...bodyOf(options), secrets })
        kit.show(options, added, () => [
          `Added the identity provider ${name}.`,
          `See what works with: gatehouse identity-provider test ${name}`,
        ])
      }),
    )
}

function bodyOf(options: AddOptions): JsonObject {
  const { issuer, preset, title, clientId, clientSecret, audiences, domains, jwksUri } = options
  const { signIn = false, bearer = [], workloads, idJag, teamPrefix, allowPrivateNetwork } = options
  return {
    ...{ issuer, preset, title, clientId, clientSecret, audiences, domains, allowPrivateNetwork },
    use: { signIn, bearer, workloads, idJag },
    teams: { map: mapOf(options.map ?? []), prefix: teamPrefix },
    ...(options.onBehalf && { onBehalf: { scopes: options.signInScopes } }),
    ...(options.invited && { provisioning: 'invited' }),
    ...(options.bindTeam !== undefined && { bound: { team: options.bindTeam } }),
    ...(options.bindGroups !== undefined && { bound: { groupPrefix: options.bindGroups } }),
    ...(jwksUri !== undefined && { endpoints: { jwksUri } }),
  }
}

function mapOf(pairs: readonly string[]): Record<string, string> {
  const entries = pairs.map(pair => {
    const at = pair.lastIndexOf('=')
    if (at < 1) fail('cli.usage', { why: `${pair} is no pair.`, fix: 'Write --map group=team.' })
    return [pair.slice(0, at), pair.slice(at + 1)]
  })
  return Object.fromEntries(entries)
}

const signs = { passes: 'ok  ', fails: 'fail', tells: 'note' } as const

function addTesting(provider: Command, kit: Kit): void {
  leaf(provider, 'test <name>', 'look at it step by step: what works, and what does not').action(
    (name: string, options: SharedOptions) =>
      kit.online(options, 'Looking at the identity provider', async ({ api }) => {
        const found = await api.post(path`/identity-providers/${name}/test`, {})
        const steps = Array.isArray(found.steps) ? found.steps.filter(isObject) : []
        kit.show(options, found, () => steps.map(step => stepLine(kit, step)))
        if (found.isWell !== true) kit.setExitCode(exitCodes.failed)
      }),
  )
}

function stepLine(kit: Kit, { step, outcome, says }: JsonObject): string {
  const sign = outcome === 'fails' ? signs.fails : outcome === 'passes' ? signs.passes : signs.tells
  const painted =
    sign === signs.tells ? sign : kit.terminal.paint(sign === signs.fails ? 'red' : 'green', sign)
  return `${painted}  ${cell(step).padEnd(10)}  ${cell(says)}`
}
