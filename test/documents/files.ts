/** The files of the project as a fresh clone has them. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'
import { ROOT } from '../fixtures/process.ts'

const notOurs = new Set(['.git', 'node_modules', '.gatehouse', '.cache', '.venv'])

/** Paths from the root, with slashes. */
export function files(folder = ''): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true })
    .filter(({ name }) => !notOurs.has(name) && !name.endsWith('.log'))
    .flatMap(entry => {
      const path = posix.join(folder, entry.name)
      return entry.isDirectory() ? files(path) : [path]
    })
    .sort()
}

export function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8')
}

/** Links of a document to other files of the project, as paths from the root, with the heading they point at. */
export function links(path: string, text: string): { to: string; heading: string | undefined }[] {
  return [...withoutCode(text).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = '']) => target)
    .filter(target => !/^[a-z]+:/.test(target))
    .map(target => {
      const [file = '', heading] = target.split('#')
      return { to: file === '' ? path : posix.join(dirname(path), file).replace(/\/$/, ''), heading }
    })
}

/** The anchors of a document's headings, as code hosts make them. */
export function anchors(text: string): string[] {
  return [...withoutCode(text).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  )
}

function withoutCode(text: string): string {
  return text.replace(/^```[\s\S]*?^```/gm, '')
}
