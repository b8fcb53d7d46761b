/** What virtual accounts prove themselves by: secrets, keys, workloads. */
import type { Command } from 'commander'
import { fail } from '../foundation/errors.ts'
import { isObject, type JsonObject } from '../foundation/json.ts'
import { type Api, path } from './api.ts'
import { type Kit, leaf, oneMore, type SharedOptions } from './kit.ts'
import { readText } from './read-text.ts'
import { type Column, table } from './table.ts'

const secretColumns: readonly Column[] = [
  ['ID', 'id'],
  ['NAME', 'name'],
  ['SECRET', 'hint'],
  ['EXPIRES', 'expiresAt'],
  ['LAST USED', 'lastUsedAt'],
]

type SecretOptions = SharedOptions & {
  readonly name?: string
  readonly expires?: string
  readonly deadline?: string
}
type KeyOptions = SharedOptions & { readonly file?: string; readonly url?: string; readonly none?: boolean }
type WorkloadOptions = SharedOptions & {
  readonly issuer: string
  readonly subject: string
  readonly claim?: readonly string[]
  readonly audience?: string
  readonly mayRepeat?: boolean
}

export function addAccountCredentialCommands(account: Command, kit: Kit): void {
  leaf(account, 'show <name>', 'show what a virtual account proves itself by at the token endpoint').action(
    (name: string, options: SharedOptions) =>
      kit.online(options, 'Reading the account', async ({ api }) => {
        const shown = await api.get(path`/accounts/${name}/credentials`)
        kit.show(options, shown, () => linesOf(shown))
      }),
  )
  addSecrets(account.command('secret').description('client secrets of virtual accounts'), kit)
  addKeys(account, kit)
  addWorkloads(account.command('workload').description('programs that may be a virtual account'), kit)
}

function linesOf({ clientId, secrets, workloads, keys, keysUrl, dpop }: JsonObject): string[] {
  const live = Array.isArray(secrets) ? secrets.filter(isObject) : []
  const known = Array.isArray(workloads) ? workloads.filter(isObject) : []
  return [
    `client id  ${String(clientId)}`,
    `DPoP       ${String(dpop)}`,
    `keys       ${Array.isArray(keys) ? keys.length : String(keysUrl ?? 'none')}`,
    ...known.map(({ issuer, subject }) => `workload   ${String(issuer)} ${String(subject)}`),
    ...(live.length === 0 ? ['secrets    none'] : table(live, secretColumns)),
  ]
}

function addSecrets(secret: Command, kit: Kit): void {
  const showing = (options: SharedOptions, made: JsonObject, more = '') => {
    // The secret is the answer; the rest goes beside it.
    kit.show(options, made, () => [String(made.secret)])
    if (!options.json)
      kit.terminal.note(
        `The client id is ${String(made.clientId)}. Good until ${String(made.expiresAt)}; not shown again.${more}`,
      )
  }
  leaf(secret, 'add <account>', 'make a client secret; it is shown once')
    .option('--name <text>', 'what it is for')
    .option('--expires <time>', 'how long it is good (90d unless told, at most 365d)')
    .action((account: string, options: SecretOptions) =>
      kit.online(options, 'Making a secret', async ({ api }) => {
        const { name, expires } = options
        showing(options, await api.post(path`/accounts/${account}/secrets`, { name, expires }))
      }),
    )
  leaf(secret, 'rotate <account>', 'make a secret in the place of the one there is, good until a deadline')
    .option('--name <text>', 'what it is for')
    .option('--expires <time>', 'how long the new one is good (90d unless told)')
    .option('--deadline <time>', 'how long the old one stays good (7d unless told)')
    .action((account: string, options: SecretOptions) =>
      kit.online(options, 'Rotating the secret', async ({ api }) => {
        const { name, expires, deadline } = options
        const body = { name, expires, deadline }
        showing(
          options,
          await api.post(path`/accounts/${account}/secrets/rotate`, body),
          ` The old one is good for ${deadline ?? '7d'}.`,
        )
      }),
    )
  leaf(secret, 'revoke <account> <id>', 'end a secret at once, and what was given for it').action(
    (account: string, id: string, options: SharedOptions) =>
      kit.online(options, 'Revoking the secret', async ({ api }) => {
        await api.remove(path`/accounts/${account}/secrets/${id}`)
        kit.show(options, { revoked: id }, () => [`Revoked the secret ${id}.`])
      }),
  )
}

function addKeys(account: Command, kit: Kit): void {
  leaf(account, 'keys <name>', 'say which public keys a virtual account signs with (private_key_jwt)')
    .option('--file <jwks>', 'a JWK or a JWKS; - is stdin')
    .option('--url <url>', 'where the JWKS is')
    .option('--none', 'it has none')
    .action((name: string, options: KeyOptions) =>
      kit.online(options, 'Changing the keys', async ({ api }) => {
        const wanted = keysOf(kit, options)
        await change(api, name, ({ keys: _, keysUrl: __, ...rest }) => ({ ...rest, ...wanted }))
        kit.show(options, { name, ...wanted }, () => [`Changed the keys of the account ${name}.`])
      }),
    )
}

function keysOf(kit: Kit, { file, url, none }: KeyOptions): JsonObject {
  if ([file, url, none].filter(each => each !== undefined).length !== 1)
    fail('cli.usage', { why: 'Say where the keys are.', fix: 'Give --file, --url or --none.' })
  if (url !== undefined) return { keysUrl: url }
  if (file === undefined) return {}
  let written: unknown
  try {
    written = JSON.parse(readText(kit, file))
  } catch (cause) {
    return fail('cli.usage', { why: `${file} is no JSON.`, fix: 'Name a file with a JWK or a JWKS.', cause })
  }
  return { keys: isObject(written) && Array.isArray(written.keys) ? written.keys : [written] }
}

function addWorkloads(workload: Command, kit: Kit): void {
  leaf(workload, 'add <account>', 'let a program be the account by the JWT its surroundings give it')
    .requiredOption('--issuer <url>', 'of an identity provider that is allowed workloads')
    .requiredOption('--subject <text>', 'exactly as its tokens name it')
    .option('--claim <name=value>', 'what else they must say; may be given more than once', oneMore)
    .option('--audience <text>', 'whom they are for, where that cannot be the gateway')
    .option('--may-repeat', 'one token may be exchanged many times, as those a cluster mounts as files')
    .action((name: string, options: WorkloadOptions) =>
      kit.online(options, 'Adding the workload', async ({ api }) => {
        const { issuer, subject, audience, mayRepeat } = options
        const added = { issuer, subject, audience, mayRepeat, claims: claimsOf(options.claim ?? []) }
        await change(api, name, before => ({ ...before, workloads: [...others(before, added), added] }))
        kit.show(options, added, () => [`${subject} of ${issuer} may be the account ${name}.`])
      }),
    )
  leaf(workload, 'remove <account>', 'let a program be the account no more; its tokens end')
    .requiredOption('--issuer <url>', 'as it was added')
    .requiredOption('--subject <text>', 'as it was added')
    .action((name: string, options: WorkloadOptions) =>
      kit.online(options, 'Removing the workload', async ({ api }) => {
        const { issuer, subject } = options
        await change(api, name, before => ({ ...before, workloads: others(before, options) }))
        kit.show(options, { removed: { issuer, subject } }, () => [
          `${subject} of ${issuer} may not be the account ${name} any more.`,
        ])
      }),
    )
}

type Named = { readonly issuer: string; readonly subject: string }

function others({ workloads }: JsonObject, { issuer, subject }: Named): unknown[] {
  const known = Array.isArray(workloads) ? workloads.filter(isObject) : []
  return known.filter(each => each.issuer !== issuer || each.subject !== subject)
}

function claimsOf(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map(pair => {
      const at = pair.indexOf('=')
      if (at < 1) fail('cli.usage', { why: `${pair} is no pair.`, fix: 'Write --claim name=value.' })
      return [pair.slice(0, at), pair.slice(at + 1)]
    }),
  )
}

/** Everything but the secrets is written as a whole. */
export async function change(
  api: Api,
  name: string,
  changed: (before: JsonObject) => JsonObject,
): Promise<JsonObject> {
  const { clientId: _, secrets: __, ...before } = await api.get(path`/accounts/${name}/credentials`)
  return api.put(path`/accounts/${name}/credentials`, changed(before))
}
