/** Where rooms keep what the vault sealed for them, so that it can be found again when keys change. */

export type Seal = {
  readonly sealed: string
  /** The place it was sealed for. */
  readonly context: readonly string[]
}

/** One column with seals. What is sealed stands in no other. */
export type SealedColumn = {
  readonly table: string
  readonly column: string
  /** The columns of the primary key. */
  readonly key: readonly string[]
  /** Further columns that say where a seal belongs. */
  readonly needs: readonly string[]
  /** The seals in one value of the column; `row` has the key and what is needed. */
  find(text: string, row: Readonly<Record<string, string>>): readonly Seal[]
}

type Whole = Omit<SealedColumn, 'find' | 'needs'> & {
  readonly needs?: readonly string[]
  context(row: Readonly<Record<string, string>>): readonly string[]
}

/** A column whose values are one seal each; an empty one is none. */
export function wholeColumn({ context, needs = [], ...column }: Whole): SealedColumn {
  return {
    ...column,
    needs,
    find: (sealed, row) => (sealed === '' ? [] : [{ sealed, context: context(row) }]),
  }
}
