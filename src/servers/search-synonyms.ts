import { stem } from './search-words.ts'

/** Words that people use for one another when they speak of what programs do. A word may stand in more than one row. */
const rows: readonly string[] = [
  'delete remove erase destroy drop discard trash',
  'create add make new build generate set',
  'insert add append put',
  'list show display enumerate all',
  'get fetch retrieve read load obtain',
  'read view open look see show inspect',
  'update edit modify change alter patch adjust',
  'search find look lookup locate query',
  'run execute perform invoke launch',
  'start launch open begin spawn',
  'stop kill terminate end cancel abort quit halt',
  'rename move',
  'copy duplicate clone',
  'write save store',
  'send post submit publish',
  'describe explain detail summary information info metadata',
  'folder directory',
  'file document',
  'picture image photo screenshot',
  'website site page web url webpage',
  'click press tap push',
  'type enter fill write input',
  'repository repo project',
  'issue ticket bug',
  'comment reply remark note',
  'database db',
  'column field property attribute',
  'row record entry document',
  'documentation docs doc manual reference',
  'library package dependency sdk framework',
  'chart graph plot diagram visualization visualize draw',
  'shell terminal command cmd bash',
  'process program task job',
  'log output trace',
  'k8s kubernetes kubectl cluster',
  'deploy install rollout release',
  'scale resize replica',
  'person people user member',
  'fact observation memory note remember',
  'relation link connection relationship',
  'count number amount total',
  'time clock date',
  'speed performance fast slow latency',
  'error failure exception problem crash',
  'compare difference diff versus',
  'crawl scrape extract spider',
  'upload attach',
  'download export',
  'tab window',
  'reason think reflect',
  'branch fork',
  'merge combine join',
  'history past previous earlier',
  'back undo revert',
  'setting configuration config option preference',
  'route direction path way',
  'place location address',
  'emulate simulate mimic pretend',
  'wait pause delay',
  'pie proportion share percentage',
  'hierarchy tree organization structure',
]

const table = new Map<string, Set<string>>()
for (const row of rows) {
  const stems = row.split(' ').map(stem)
  for (const one of stems) {
    const others = table.get(one) ?? new Set()
    table.set(one, others)
    for (const other of stems) if (other !== one) others.add(other)
  }
}

/** Terms that may be meant by this one. */
export function synonymsOf(term: string): Iterable<string> {
  return table.get(term) ?? []
}
