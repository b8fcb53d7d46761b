import { fail } from '../../foundation/errors.ts'
import { providerByIssuer } from '../providers/provider-table.ts'
import { settingsOf } from '../providers/stored.ts'
import { type Account, type From, updateAccount } from '../table.ts'
import type { Credentials } from './credentials.ts'

/** What the account proves itself by from now on; undefined for nothing. Throws `http.bad_request` where a workload could never come. */
export async function putCredentials(
  tx: From,
  { id }: Pick<Account, 'id'>,
  credentials: Credentials | undefined,
): Promise<void> {
  for (const { issuer } of credentials?.workloads ?? []) {
    const provider = await providerByIssuer(tx, issuer)
    if (provider !== undefined && provider.removed_at === null && settingsOf(provider).use.workloads) continue
    fail('http.bad_request', {
      why: `There is no identity provider with the issuer ${issuer} that is allowed workloads.`,
      fix: 'Add the identity provider first, with use: { workloads: true }.',
    })
  }
  const credentials_json = credentials === undefined ? null : JSON.stringify(credentials)
  await updateAccount(tx, id, { credentials_json })
}
