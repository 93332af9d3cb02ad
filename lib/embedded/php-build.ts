import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type WasmModule, wasm } from './web-assembly.ts'

/** The optional peer dependency that holds PHP. */
const PACKAGE = '@php-wasm/node-8-4'

/** The last version for Node before 24; newer ones are taken where they are installed. */
const VERSION = '3.1.54'

/** PHP, compiled: what a thread needs to have one at once. */
export interface PhpBuild {
  /** The package's entry. */
  readonly url: string
  readonly module: WasmModule
}

/** What the package gives: an Emscripten program and where its WebAssembly is. */
export interface PhpLoader {
  readonly dependencyFilename: string
  init(runtime: 'NODE', options: object): unknown
}

/** PHP is not installed: said in one line. */
export class PhpMissingError extends Error {
  override readonly name: string = 'PhpMissingError'

  constructor() {
    super(`The embedded PHP is not installed. Install it with: npm install ${PACKAGE}@${VERSION}`)
  }
}

/**
 * Finds the package, beside us or in the project of the working directory, and compiles it: once, for all threads.
 * @throws PhpMissingError
 */
export async function loadBuild(): Promise<PhpBuild> {
  const url = packageUrl()
  const { dependencyFilename } = await importLoader(url)
  return { url, module: await wasm.compile(await readFile(dependencyFilename)) }
}

function packageUrl(): string {
  try {
    return import.meta.resolve(PACKAGE)
  } catch {
    return urlInProject()
  }
}

/** Run by npx we are not in the project's node_modules. */
function urlInProject(): string {
  try {
    return pathToFileURL(createRequire(join(process.cwd(), 'package.json')).resolve(PACKAGE)).href
  } catch {
    throw new PhpMissingError()
  }
}

/** The build for this Node. */
export async function importLoader(url: string): Promise<PhpLoader> {
  const entry: unknown = await import(url)
  if (!hasGetter(entry)) throw new TypeError(`${url} has no getPHPLoaderModule()`)
  const loader: unknown = await entry.getPHPLoaderModule()
  if (!isLoader(loader)) throw new TypeError(`${url} gives a loader of an unknown form`)
  return loader
}

function hasGetter(value: unknown): value is { getPHPLoaderModule: () => Promise<unknown> } {
  return typeof value === 'object' && value !== null && 'getPHPLoaderModule' in value
}

function isLoader(value: unknown): value is PhpLoader {
  return typeof value === 'object' && value !== null && 'init' in value && 'dependencyFilename' in value
}
