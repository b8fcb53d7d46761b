import { isObject } from '../../../foundation/json.ts'
import { graphGroups } from '../graph-groups.ts'
import { type Preset, standard } from './preset.ts'

const guid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const yes: readonly unknown[] = [true, 1, '1', 'true']

/**
 * `sub` differs between applications, so people are known by `oid`. Anybody may write any address into `email`: only
 * `xms_edov` says that its domain's owner was asked.
 */
export const entra = {
  ...standard,
  name: 'entra',
  title: 'Microsoft Entra ID',
  algorithms: ['RS256'],
  claims: { ...standard.claims, subject: 'oid', emailVerified: 'xms_edov' },
  objectionTo(issuer) {
    const [, first = '', second] = new URL(issuer).pathname.split('/')
    if (guid.test(first) && second === 'v2.0') return undefined
    return 'An issuer of Entra names one tenant: https://login.microsoftonline.com/<tenant id>/v2.0'
  },
  isVerified: value => yes.includes(value),
  isOverflowing: claims =>
    claims.hasgroups === true ||
    claims.hasgroups === 'true' ||
    (isObject(claims._claim_names) && Object.hasOwn(claims._claim_names, 'groups')),
  furtherGroups: graphGroups,
} satisfies Preset<'entra'>
