/** A record with the same keys, in the same order, and each value replaced. */
export function mapValues<From, To>(
  record: Readonly<Record<string, From>>,
  replace: (value: From, key: string) => To,
): Record<string, To> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, replace(value, key)]))
}
