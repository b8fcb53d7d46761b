const nowhere = 'http://gatehouse.invalid'
const longest = 4000

/** Where somebody goes on to once they are signed in: a path of ours, whatever was asked for. */
export function returnPath(asked: string | undefined, otherwise = '/account'): string {
  if (asked === undefined || asked.length > longest || !/^\/[\x21-\x5b\x5d-\x7e]*$/.test(asked))
    return otherwise
  const url = URL.parse(asked, nowhere)
  if (url === null || url.origin !== nowhere) return otherwise
  const path = url.pathname + url.search + url.hash
  // Dots that were resolved can leave two slashes at the start, which would name a host.
  return path.startsWith('//') ? otherwise : path
}
