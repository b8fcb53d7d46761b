import { route } from '../foundation/route.ts'
import { meView } from './schemas.ts'

/** Who a caller is to the gateway. */
export const me = route({
  method: 'GET',
  path: '/api/v1/me',
  summary: 'Who you are to the gateway',
  entry: 'signed-in',
  answer: meView,
  async act({ caller: { id, kind, name, role, subjects, tokenId } }) {
    return { id, kind, name, role, subjects: [...subjects], tokenId: tokenId ?? null }
  },
})
