/** Asks the search every question, prints what it misses, and writes docs/search.md. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../fixtures/process.ts'
import { askAll, describeMiss, hitRate } from './measure.ts'
import { searchPage } from './page.ts'

const asked = askAll()
for (const half of ['tuning', 'held-out']) {
  const some = asked.filter(one => one.half === half)
  const rates = [1, 3, 5].map(first => `${(100 * hitRate(some, first)).toFixed(1)} % in the first ${first}`)
  console.log(`${half}: ${some.length} questions, ${rates.join(', ')}`)
}
for (const miss of asked.filter(({ place }) => place > 5)) console.log(`  ${describeMiss(miss)}`)
writeFileSync(join(ROOT, 'docs', 'search.md'), searchPage())
console.log('Wrote docs/search.md.')
