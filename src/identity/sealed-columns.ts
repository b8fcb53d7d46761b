import { type SealedColumn, wholeColumn } from '../foundation/sealed-column.ts'
import { flowPlace } from './flows.ts'
import { answerPlace, artifactPlace, isOpenModel } from './oauth/artifacts.ts'
import { secretPlace } from './oauth/clients.ts'
import { signingKeyPlace } from './oauth/keys.ts'
import { tokensPlace } from './provider-tokens/kept.ts'
import { secretContext, storedSecret } from './providers/stored.ts'
import { idTokenPlace } from './sessions.ts'

/** Where this room keeps what is sealed. */
export const sealedInIdentity: readonly SealedColumn[] = [
  wholeColumn({
    table: 'flows',
    column: 'sealed',
    key: ['hash'],
    needs: ['kind'],
    context: ({ kind = '', hash = '' }) => flowPlace(kind, hash),
  }),
  {
    table: 'identity_providers',
    column: 'client_secret_json',
    key: ['id'],
    needs: ['issuer'],
    find(text, { issuer = '' }) {
      const secret = storedSecret({ client_secret_json: text })
      return secret === undefined ? [] : [{ sealed: secret.sealed, context: secretContext(issuer) }]
    },
  },
  wholeColumn({
    table: 'oauth_clients',
    column: 'secret_sealed',
    key: ['id'],
    context: ({ id = '' }) => secretPlace(id),
  }),
  {
    table: 'oauth_artifacts',
    column: 'payload',
    key: ['model', 'hash'],
    needs: [],
    find: (sealed, { model = '', hash = '' }) =>
      isOpenModel(model) ? [] : [{ sealed, context: artifactPlace(model, hash) }],
  },
  wholeColumn({
    table: 'oauth_artifacts',
    column: 'answer_sealed',
    key: ['model', 'hash'],
    context: ({ model = '', hash = '' }) => answerPlace(model, hash),
  }),
  wholeColumn({
    table: 'browser_sessions',
    column: 'id_token_sealed',
    key: ['id'],
    context: ({ id = '' }) => idTokenPlace(id),
  }),
  wholeColumn({
    table: 'provider_tokens',
    column: 'sealed',
    key: ['user_id', 'provider_id'],
    context: ({ user_id: userId = '', provider_id: providerId = '' }) => tokensPlace(userId, providerId),
  }),
  wholeColumn({
    table: 'oauth_keys',
    column: 'sealed',
    key: ['id'],
    context: ({ id = '' }) => signingKeyPlace(id),
  }),
]
