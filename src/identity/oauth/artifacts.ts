/** What the authorization server keeps between two requests, under hashes of what it is found by. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { z } from 'zod'
import type { Clock } from '../../foundation/clock.ts'
import type { Seals } from '../flows.ts'
import { keyedHash } from '../keyed-hash.ts'
import {
  type ArtifactRow,
  artifact,
  artifactByUid,
  consumeArtifact,
  deleteArtifact,
  deleteOldArtifacts,
  type From,
  putArtifact,
  updateArtifact,
} from './table.ts'

export type Payload = Readonly<Record<string, unknown>>

export type Kept = {
  readonly payload: Payload
  /** When it was used up; milliseconds since 1970. */
  readonly consumedAt: number | undefined
  /** What was answered then. */
  readonly answer: string | undefined
}

export type Keeping = {
  readonly payload: Payload
  /** Milliseconds since 1970; absent for what does not end by itself. */
  readonly expiresAt?: number | undefined
  /** What else it is found by. */
  readonly uid?: string | undefined
  /** The grant it goes with. */
  readonly grantId?: string | undefined
  /** The virtual account it goes with. */
  readonly accountId?: string | undefined
}

export type Artifacts = {
  put(model: string, id: string, what: Keeping): Promise<void>
  find(model: string, id: string): Promise<Kept | undefined>
  findByUid(model: string, uid: string): Promise<Kept | undefined>
  /** Uses it up; false when somebody else did. */
  consume(model: string, id: string): Promise<boolean>
  /** Keeps what was answered when it was used up. */
  keepAnswer(model: string, id: string, answer: string): Promise<void>
  remove(model: string, id: string): Promise<void>
  /** All that is done by the work happens, or nothing of it does. */
  together<T>(work: () => Promise<T>): Promise<T>
  /** Is this within such work? */
  isTogether(): boolean
}

export type ArtifactParts = {
  readonly kysely: From
  readonly pepper: Buffer
  readonly clock: Clock
  readonly seals: Seals
}

/** They are found by a token; the rest of them is what a token says, and no secret. */
const open: readonly string[] = ['AccessToken', 'ClientCredentials', 'RefreshToken', 'AuthorizationCode']
export const isOpenModel = (model: string) => open.includes(model)
export const artifactPlace = (model: string, hash: string): readonly string[] => [
  'oauth_artifacts',
  model,
  hash,
]
export const answerPlace = (model: string, hash: string): readonly string[] => [
  ...artifactPlace(model, hash),
  'answer',
]
export const payloadSchema = z.record(z.string(), z.unknown())

const running = new AsyncLocalStorage<From>()

/** The transaction that this request is in, or the database. */
export function within(kysely: From): From {
  return running.getStore() ?? kysely
}

export function openArtifacts({ kysely, pepper, clock, seals }: ArtifactParts): Artifacts {
  const hashOf = (id: string) => keyedHash(pepper, id)
  const kept = async (row: ArtifactRow | undefined): Promise<Kept | undefined> => {
    if (row === undefined || (row.expires_at !== null && row.expires_at <= clock.now())) return undefined
    const { model, hash, payload, consumed_at, answer_sealed } = row
    const text = isOpenModel(model) ? payload : await seals.open(payload, artifactPlace(model, hash))
    return {
      payload: payloadSchema.parse(JSON.parse(text)),
      consumedAt: consumed_at ?? undefined,
      answer: answer_sealed === null ? undefined : await seals.open(answer_sealed, answerPlace(model, hash)),
    }
  }
  return {
    async put(model, id, { payload, expiresAt, uid, grantId, accountId }) {
      const hash = hashOf(id)
      const text = JSON.stringify(payload)
      const from = within(kysely)
      await deleteOldArtifacts(from, clock.now())
      await putArtifact(from, {
        model,
        hash,
        grant_id: grantId ?? null,
        account_id: accountId ?? null,
        uid_hash: uid === undefined ? null : hashOf(uid),
        payload: isOpenModel(model) ? text : await seals.seal(text, artifactPlace(model, hash)),
        consumed_at: null,
        answer_sealed: null,
        expires_at: expiresAt ?? null,
      })
    },
    find: async (model, id) => kept(await artifact(within(kysely), model, hashOf(id))),
    findByUid: async (model, uid) => kept(await artifactByUid(within(kysely), model, hashOf(uid))),
    consume: (model, id) => consumeArtifact(within(kysely), model, hashOf(id), clock.now()),
    async keepAnswer(model, id, answer) {
      const key = { model, hash: hashOf(id) }
      const place = answerPlace(model, key.hash)
      await updateArtifact(within(kysely), key, { answer_sealed: await seals.seal(answer, place) })
    },
    remove: (model, id) => deleteArtifact(within(kysely), model, hashOf(id)),
    together: work => kysely.transaction().execute(tx => running.run(tx, work)),
    isTogether: () => running.getStore() !== undefined,
  }
}
