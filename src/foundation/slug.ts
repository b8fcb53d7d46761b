import { z } from 'zod'

/** Names that stand in URLs: server groups and servers. */
export const slug = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, 'use 1 to 63 lower-case letters, digits and inner hyphens')
