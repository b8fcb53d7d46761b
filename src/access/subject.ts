import { z } from 'zod'

const someone = /^(?:user:[^@\s]{1,64}@[^@\s]{1,190}|(?:team|account):[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)$/

/** A person, a team or a virtual account, as grants and managers name them. E-mail addresses are the same in any case. */
export const managerSubject = z
  .string()
  .max(320)
  .overwrite(lowerEmail)
  .regex(someone, 'write user:<email>, team:<name> or account:<name>')
  .describe('user:<email>, team:<name> or account:<name>.')

/** Whom a grant can be for. */
export const grantSubject = z
  .string()
  .max(320)
  .overwrite(lowerEmail)
  .refine(
    subject => subject === 'everyone' || someone.test(subject),
    'write user:<email>, team:<name>, account:<name> or everyone',
  )
  .describe('user:<email>, team:<name>, account:<name> or everyone.')

function lowerEmail(subject: string): string {
  return subject.startsWith('user:') ? subject.toLowerCase() : subject
}
