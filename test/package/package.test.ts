import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type PrivateDirectory, privateDirectory } from '../support/private-directory.ts'

const repository = fileURLToPath(new URL('../..', import.meta.url))

const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc')

interface PackedFile {
  readonly path: string
  readonly mode: number
}

describe('the package', () => {
  let directory: PrivateDirectory
  let packed: readonly PackedFile[]

  before(() => {
    directory = privateDirectory('pack')
    const [{ filename, files }] = JSON.parse(
      npm(repository, ['pack', '--json', '--ignore-scripts', '--pack-destination', directory.path]),
    )
    packed = files
    writeFileSync(join(directory.path, 'package.json'), '{"private":true,"type":"module"}')
    const tarball = join(directory.path, filename)
    npm(directory.path, ['install', tarball, ...QUIETLY])
    linkTypes(directory.path)
  })
  after(() => directory.remove())

  it('holds what is built, conf, docs and the three pages, and nothing else', () => {
    const built = readdirSync(join(repository, 'lib'), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts'))
      .flatMap((path) => [`dist/${path.replace(/ts$/, 'js')}`, `dist/${path.replace(/ts$/, 'd.ts')}`])
    const paths = packed.map(({ path }) => path)
    assert.deepEqual(paths.filter((path) => path.startsWith('dist/')).sort(), built.sort())
    const others = paths.filter(
      (path) => !path.startsWith('dist/') && !/^(conf\/[\w./-]+|docs\/[a-z]+\.(md|png|svg))$/.test(path),
    )
    assert.deepEqual(others.sort(), ['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json'])
  })

  it('names no folder of the machine that built it', () => {
    const installed = join(directory.path, 'node_modules/express-fastcgi')
    for (const { path } of packed) {
      assert.ok(!readFileSync(join(installed, path), 'utf8').includes(repository), path)
    }
  })

  it('is imported', () => {
    const code = `import byDefault, { fastcgi } from 'express-fastcgi'
      const php = fastcgi({ root: '.', server: '/run/none.sock' })
      await php.close()
      console.log(byDefault === fastcgi, php.length, php.status().servers.length)`
    assert.equal(node(directory.path, ['--input-type=module', '--eval', code]), 'true 3 1\n')
  })

  it('is required', () => {
    const code = "const { fastcgi } = require('express-fastcgi'); console.log(typeof fastcgi)"
    assert.equal(node(directory.path, ['--input-type=commonjs', '--eval', code]), 'function\n')
  })

  it('is imported and required by its other faces too, without what they plug into', () => {
    const imported = `import { createResponder } from 'express-fastcgi/responder'
      import byDefault, { fastcgi } from 'express-fastcgi/vite'
      const responder = createResponder((req, res) => res.end())
      await responder.listen({ host: '127.0.0.1', port: 0 })
      console.log(responder.address.split(':')[0], byDefault === fastcgi, fastcgi().name)
      await responder.close()`
    assert.equal(node(directory.path, ['--input-type=module', '--eval', imported]), '127.0.0.1 true express-fastcgi\n')
    const required = `const { createResponder } = require('express-fastcgi/responder')
      const { fastcgi } = require('express-fastcgi/vite')
      console.log(typeof createResponder, typeof fastcgi)`
    assert.equal(node(directory.path, ['--input-type=commonjs', '--eval', required]), 'function function\n')
    assert.ok(!readdirSync(join(directory.path, 'node_modules')).includes('vite'))
  })

  it('keeps its inside to itself', () => {
    assert.throws(
      () => node(directory.path, ['--input-type=module', '--eval', "import 'express-fastcgi/dist/errors.js'"]),
      /ERR_PACKAGE_PATH_NOT_EXPORTED/,
    )
  })

  it('has types for Vite that need no Vite', () => {
    const compilerOptions = { module: 'nodenext', lib: ['es2023'], types: ['node'], strict: true, noEmit: true }
    writeFileSync(
      join(directory.path, 'alone.ts'),
      "import { fastcgi } from 'express-fastcgi/vite'\nexport const name: 'express-fastcgi' = fastcgi().name\n",
    )
    writeFileSync(join(directory.path, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['alone.ts'] }))
    assert.equal(node(directory.path, [tsc, '-p', '.']), '')
  })

  it('has types that fit Express 4 and 5, Connect, node:http and Vite', () => {
    const files = ['consumer.ts', 'vite.config.ts']
    for (const file of files) copyFileSync(join(repository, 'test/fixtures/consumer', file), join(directory.path, file))
    symlinkSync(join(repository, 'node_modules/vite'), join(directory.path, 'node_modules/vite'))
    const compilerOptions = {
      module: 'nodenext',
      target: 'es2023',
      lib: ['es2023'],
      types: ['node'],
      strict: true,
      exactOptionalPropertyTypes: true,
      esModuleInterop: true,
      noEmit: true,
    }
    writeFileSync(join(directory.path, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }))
    assert.equal(node(directory.path, [tsc, '-p', '.']), '')
  })

  it('brings its command', () => {
    const { version } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8'))
    assert.equal(npm(directory.path, ['exec', '--offline', '--', 'express-fastcgi', '--version']), `${version}\n`)
    assert.ok((packed.find(({ path }) => path === 'dist/cli/main.js')?.mode ?? 0) & 0o111)
  })
})

/** Nothing of the packages is run, and the cache is asked before the registry. */
const QUIETLY = ['--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error']

function npm(cwd: string, args: readonly string[]): string {
  return run(cwd, 'npm', args)
}

function node(cwd: string, args: readonly string[]): string {
  return run(cwd, process.execPath, args)
}

function run(cwd: string, file: string, args: readonly string[]): string {
  try {
    return execFileSync(file, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string }
    throw new Error(`${file} ${args.join(' ')}\n${stdout}${stderr}`)
  }
}

/** The hosts' types as the repository has them. */
function linkTypes(directory: string): void {
  const types = join(directory, 'node_modules/@types')
  mkdirSync(types, { recursive: true })
  for (const name of ['express', 'express4', 'connect', 'node']) {
    symlinkSync(join(repository, 'node_modules/@types', name), join(types, name))
  }
}
