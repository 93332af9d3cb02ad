import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

/** A private temporary directory with files in it. */
export interface DocumentTree {
  /** Real path, no slash at the end. */
  readonly root: string
  /** Writes a file below the root; gives its absolute name. A Buffer is a name that is no UTF-8. */
  write(name: string | Buffer, content?: string): string
  /** Makes `name` a symbolic link to `target`. */
  link(name: string, target: string): void
  remove(): void
}

/** Makes a tree: names of files, a slash at the end for a directory. */
export function documentTree(names: readonly string[] = []): DocumentTree {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'fcgi-tree-')))
  const tree: DocumentTree = {
    root,
    write(name, content = 'content') {
      const path = typeof name === 'string' ? join(root, name) : Buffer.concat([Buffer.from(`${root}/`), name])
      if (typeof path === 'string') mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, content)
      return path.toString('latin1')
    },
    link(name, target) {
      mkdirSync(dirname(join(root, name)), { recursive: true })
      symlinkSync(target, join(root, name))
    },
    remove() {
      rmSync(root, { recursive: true, force: true })
    },
  }
  for (const name of names) {
    if (name.endsWith('/')) mkdirSync(join(root, name), { recursive: true })
    else tree.write(name)
  }
  return tree
}
