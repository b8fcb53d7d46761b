import { z } from 'zod'
import { type Caller, type Route, route } from '../../foundation/route.ts'
import type { Progress } from './rotation.ts'
import type { Verified } from './verify.ts'

export type KeyView = {
  readonly id: string
  readonly provider: string
  readonly kind: string | null
  readonly named: string | null
  readonly state: 'coming' | 'active' | 'old' | 'retired'
  readonly values: number
  readonly createdAt: string
  readonly retiredAt: string | null
}

export type KeysView = {
  readonly items: KeyView[]
  readonly target: string
  readonly locked: string | null
  readonly problem: string | null
  readonly rotation: z.infer<typeof progressAnswer> | null
}

type Parts = {
  view(): Promise<KeysView>
  rotate(by: { caller: Caller; requestId: string }): Promise<void>
  verify(): Promise<Verified>
}

const key = z.object({
  id: z.string(),
  provider: z.string().describe('Its name in vault.keys, or master.'),
  kind: z.string().nullable().describe('Null where vault.keys has it no more.'),
  named: z.string().nullable().describe('The key that it is wrapped by, as its provider calls it.'),
  state: z
    .enum(['coming', 'active', 'old', 'retired'])
    .describe(
      'active: values are sealed under it. old: values are still moved away from it. retired: it can be removed.',
    ),
  values: z.int().describe('How many stored values are under it.'),
  createdAt: z.string(),
  retiredAt: z.string().nullable(),
})
const unopened = z.object({ where: z.string(), record: z.string(), why: z.string() })
const progressAnswer = z.object({
  state: z.enum(['running', 'stuck', 'done']),
  total: z.int(),
  moved: z.int(),
  unopened: z.array(unopened).describe('Values that do not open, the first hundred.'),
  problem: z.string().nullable(),
})
const answer = z.object({
  items: z.array(key),
  target: z.string().describe('vault.key: by which the next key is wrapped.'),
  locked: z.string().nullable().describe('Why nothing sealed can be opened at the moment.'),
  problem: z.string().nullable().describe('What the last question to the providers found.'),
  rotation: progressAnswer.nullable().describe('Null where there was none since the gateway started.'),
})
const verified = z.object({
  opened: z.record(z.string(), z.int()).describe('Values that open, by the id of their key.'),
  unopenedCount: z.int(),
  unopened: z.array(unopened).describe('Values that do not open, the first hundred.'),
  strays: z.array(z.string()).describe('Columns that hold sealed values and should not.'),
})

export function progressView(progress: Progress | undefined): z.infer<typeof progressAnswer> | null {
  if (progress === undefined) return null
  return { ...progress, unopened: [...progress.unopened], problem: progress.problem ?? null }
}

export function keyRoutes({ view, rotate, verify }: Parts): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/api/v1/vault/keys',
      summary: 'The keys under which secrets are stored, never a key itself, and how far a rotation is.',
      entry: 'auditor',
      answer,
      act: view,
    }),
    route({
      method: 'POST',
      path: '/api/v1/vault/keys/rotate',
      summary:
        'Make a new key and move every stored secret to it, while everything goes on. Goes on with a rotation that was not finished.',
      entry: 'admin',
      stepUp: true,
      status: 202,
      body: z.strictObject({}),
      answer,
      async act({ caller, requestId }) {
        await rotate({ caller, requestId })
        return view()
      },
    }),
    route({
      method: 'POST',
      path: '/api/v1/vault/keys/verify',
      summary: 'Open every stored secret, and say how many open and which do not.',
      entry: 'admin',
      body: z.strictObject({}),
      answer: verified,
      async act() {
        const { unopened, strays, ...counts } = await verify()
        return { ...counts, unopened: [...unopened], strays: [...strays] }
      },
    }),
  ]
}
