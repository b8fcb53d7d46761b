/** What people have to be told when they next come: it is kept until they say that they have seen it. */
import { newId } from '../foundation/id.ts'
import { isoTime } from './schemas.ts'
import { deleteNotice, type From, insertNotice, type NoticeRow, noticesOf } from './sign-in-table.ts'

export type Notice = {
  readonly id: string
  readonly kind: NoticeRow['kind']
  /** Whom it was stolen from, as the person knows them. */
  readonly about: string
  readonly createdAt: string
}

export type Notices = {
  /** The newest first. */
  of(userId: string): Promise<Notice[]>
  /** They have seen it. */
  seen(userId: string, id: string): Promise<void>
}

export function openNotices(kysely: From): Notices {
  return {
    async of(userId) {
      const rows = await noticesOf(kysely, userId)
      return rows.map(({ id, kind, about, created_at }) => ({
        id,
        kind,
        about,
        createdAt: isoTime(created_at),
      }))
    },
    seen: (userId, id) => deleteNotice(kysely, userId, id),
  }
}

type Telling = { readonly userId: string; readonly about: string; readonly now: number }

/** Within the transaction of what it is about. */
export async function tellOfTheft(tx: From, { userId, about, now }: Telling): Promise<void> {
  await insertNotice(tx, {
    id: newId(now),
    user_id: userId,
    kind: 'stolen_authorization',
    about,
    created_at: now,
  })
}
