/** The way to documents about clients, and to the keys of clients. */
import { type FetchRules, guardedFetch } from '../egress/index.ts'

const bounds = { totalMilliseconds: 2500, answerBytes: 5 * 1024 }

/**
 * A fetch that goes to public addresses, and on private networks only to the hosts that the configuration names. Who asks for a document is
 * anybody, so no address inside is reached because somebody wrote it.
 */
export function documentFetch(privateHosts: readonly string[]): ReturnType<typeof guardedFetch> {
  const allowing = (allowPrivateNetwork: boolean): FetchRules => ({ ...bounds, allowPrivateNetwork })
  const [outside, inside] = [guardedFetch(allowing(false)), guardedFetch(allowing(true))]
  return (input, init) => {
    const url = URL.parse(input instanceof Request ? input.url : String(input))
    const isNamed = url?.protocol === 'https:' && privateHosts.includes(url.hostname)
    return (isNamed ? inside : outside)(input, init)
  }
}
