import { z } from 'zod'

const megabyte = 1024 * 1024

/** What a variable says where the file has more than one value; text that is no JSON stays text, for the schema to refuse. */
function fromJson(given: unknown): unknown {
  if (typeof given !== 'string') return given
  try {
    return JSON.parse(given)
  } catch {
    return given
  }
}

/** Every setting, with its default and what it does. docs/configuration.md is written from here. */
export const configSchema = z.strictObject({
  host: z.string().default('127.0.0.1').describe('Address to listen on.'),
  port: z.coerce
    .number()
    .int()
    .min(0)
    .max(65_535)
    .default(4000)
    .describe('Port to listen on; 0 picks a free one.'),
  publicUrl: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe('The URL clients use, when a proxy stands in front.'),
  dataDir: z
    .string()
    .min(1)
    .default('.gatehouse')
    .describe('Directory of the database, keys, spool and local socket.'),
  databaseUrl: z
    .string()
    .regex(/^postgres(ql)?:\/\//, 'expected postgres://...')
    .optional()
    .describe('PostgreSQL instead of SQLite. DATABASE_URL works too.')
    .meta({ secret: true }),
  allowedHosts: z
    .array(z.string())
    .default([])
    .describe('Further Host values to answer for, besides the listen address and publicUrl.'),
  allowedOrigins: z
    .array(z.string())
    .default([])
    .describe('Origins of web pages that may call the gateway, besides its own.'),
  logLevel: z
    .enum(['debug', 'info', 'warn', 'error', 'silent'])
    .default('info')
    .describe('What goes to the log on stderr.'),
  audit: z
    .strictObject({
      arguments: z
        .enum(['hash', 'full'])
        .default('hash')
        .describe('Record tool arguments as hash and size, or in full.'),
      sync: z
        .boolean()
        .default(false)
        .describe('fdatasync the spool before answering: survives power loss, costs time on every call.'),
    })
    .prefault({}),
  mcp: z
    .strictObject({
      tools: z
        .enum(['auto', 'list', 'search'])
        .default('auto')
        .describe(
          'What tools/list of /mcp gives: every tool (list), three to find, describe and call them (search), or that where the list is long (auto). A caller may choose with the header x-gatehouse-tools or ?tools=.',
        ),
      toolsTokens: z.coerce
        .number()
        .int()
        .min(0)
        .default(10_000)
        .describe('A list of more tokens than this, estimated, is long.'),
      clientAuthOverride: z
        .boolean()
        .default(true)
        .describe(
          'May clients bring authentication of their own for a server (x-gatehouse-mcp-headers)? A server may also refuse it by itself.',
        ),
    })
    .prefault({}),
  oauth: z
    .strictObject({
      registration: z
        .enum(['open', 'off'])
        .default('open')
        .describe(
          'May MCP clients register themselves (RFC 7591)? What they may do is still for people to allow.',
        ),
      clientMetadata: z
        .enum(['open', 'off'])
        .default('open')
        .describe('May the client_id be the https URL of a document about the client?'),
      clientMetadataDomains: z
        .array(z.string())
        .default([])
        .describe('Hosts that such documents are fetched from; any when it is empty.'),
      clientMetadataPrivateHosts: z
        .array(z.string())
        .default([])
        .describe(
          'Hosts on a private network that such documents, and keys of clients, may be fetched from. All others must have public addresses.',
        ),
      accessTokenSeconds: z.coerce
        .number()
        .int()
        .min(60)
        .max(3600)
        .default(900)
        .describe('How long an access token of an MCP client is good.'),
      refreshIdleDays: z.coerce
        .number()
        .positive()
        .max(365)
        .default(30)
        .describe('An authorization that is not used for so long ends.'),
      refreshDays: z.coerce
        .number()
        .positive()
        .max(365)
        .default(90)
        .describe('An authorization ends after so long, used or not.'),
    })
    .prefault({}),
  egress: z
    .strictObject({
      proxy: z
        .url({ protocol: /^https?$/ })
        .optional()
        .describe(
          'The HTTP proxy, http://user:password@host:port, that every connection to other machines is made through.',
        )
        .meta({ secret: true }),
      noProxy: z
        .array(z.string())
        .default([])
        .describe(
          'Reached without the proxy: hosts with all below them (corp.example), addresses and ranges (10.0.0.0/8).',
        ),
      caFile: z
        .string()
        .min(1)
        .optional()
        .describe(
          'File of PEM certificates of further certification authorities, trusted for every connection to other machines.',
        ),
    })
    .prefault({}),
  vault: z
    .strictObject({
      key: z
        .string()
        .default('master')
        .describe(
          'The name, in vault.keys, of the key that protects stored secrets. Values that are stored already move to it with gatehouse keys rotate.',
        ),
      keys: z
        .preprocess(
          fromJson,
          z.record(z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/), z.looseObject({ kind: z.string() })),
        )
        .default({})
        .describe(
          'Where keys are, by name, besides master: { kind: file, path }, environment, hashicorp-vault, aws-kms, google-kms or azure-key-vault (docs/guides/keys.md). The variable holds JSON.',
        ),
    })
    .prefault({}),
  limits: z
    .strictObject({
      requestBytes: z.coerce
        .number()
        .int()
        .min(1024)
        .max(4 * megabyte)
        .default(megabyte)
        .describe('Largest request body.'),
      resultBytes: z.coerce
        .number()
        .int()
        .min(1024)
        .default(256 * megabyte)
        .describe('Largest streamed answer of an upstream.'),
      messageBytes: z.coerce
        .number()
        .int()
        .min(1024)
        .default(16 * megabyte)
        .describe('Largest message that must be held in memory: a stdio line, a list, an SSE notification.'),
      connectSeconds: z.coerce.number().positive().default(5).describe('To connect to an upstream.'),
      callSeconds: z.coerce
        .number()
        .positive()
        .max(600)
        .default(60)
        .describe(
          'Whole time of one call, however much it trickles. Progress extends it up to callSecondsMax.',
        ),
      callSecondsMax: z.coerce
        .number()
        .positive()
        .default(600)
        .describe('Whole time of a call that reports progress.'),
      sessionIdleSeconds: z.coerce
        .number()
        .positive()
        .default(1800)
        .describe('A session without traffic ends after this.'),
      sessionsPerPrincipal: z.coerce
        .number()
        .int()
        .positive()
        .default(100)
        .describe('Open sessions one caller may have.'),
      streamsPerPrincipal: z.coerce
        .number()
        .int()
        .positive()
        .default(1000)
        .describe('Streams that stay open (subscriptions/listen, GET of a session) one caller may have.'),
      processes: z.coerce
        .number()
        .int()
        .positive()
        .default(64)
        .describe('stdio server processes that may run at once.'),
      catalogueSeconds: z.coerce
        .number()
        .positive()
        .default(300)
        .describe('Age at which a catalogue is read again.'),
      eraSeconds: z.coerce
        .number()
        .positive()
        .default(3600)
        .describe('How long it is taken for granted which eras of the protocol a server speaks.'),
      cataloguePages: z.coerce
        .number()
        .int()
        .positive()
        .default(100)
        .describe('Pages of one list that are read at most.'),
      catalogueItems: z.coerce
        .number()
        .int()
        .positive()
        .default(5000)
        .describe('Items of one list that are kept at most.'),
    })
    .prefault({}),
})

export type Config = z.infer<typeof configSchema>
