import assert from 'node:assert/strict'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { errorTable } from '../lib/errors.ts'
import { readConfig } from '../lib/index.ts'
import type { Backend } from './support/backend.ts'
import { ask } from './support/http-client.ts'
import { anchorOf, type CodeBlock, codeBlocks, headings, localLinks } from './support/markdown.ts'
import { startPhpFpm } from './support/php-fpm.ts'
import { type PrivateDirectory, privateDirectory } from './support/private-directory.ts'
import { backend } from './support/require-backend.ts'
import { startServe } from './support/serve-process.ts'
import { runScript, startServing } from './support/serving-process.ts'

const repository = fileURLToPath(new URL('..', import.meta.url))

const documents: ReadonlyMap<string, string> = new Map(
  ['README.md', 'CHANGELOG.md', ...readdirSync(join(repository, 'docs')).map((name) => `docs/${name}`)].map((path) => [
    path,
    readFileSync(join(repository, path), 'utf8'),
  ]),
)

const blocks = [...documents].flatMap(([file, text]) => codeBlocks(file, text))

/** What a block of JavaScript is asked, and what it must answer. A block that serves nothing must end by itself. */
interface Trial {
  readonly path: string
  readonly status?: number
  readonly body?: RegExp
  /** Code that the block takes for granted. */
  readonly before?: string
}

const FRONT_PAGE: Trial = { path: '/', body: /^front page of \/ at \/index\.php\n$/ }
const USES_PHP = "const php = fastcgi({ root: 'public', server: '/run/php/php-fpm.sock' })"

const TRIALS: Readonly<Record<string, Trial | 'ends'>> = {
  'README.md: express-fastcgi': FRONT_PAGE,
  'README.md: Why not nginx beside Express?': { path: '/admin/', status: 401, body: /^Please log in$/ },
  'README.md: Static files and PHP': { path: '/style.css', body: /^body \{\n/ },
  'README.md: Under a path': { path: '/blog/', body: /^blog at \/blog\/index\.php\n$/ },
  'README.md: Front controllers: Laravel, Symfony, WordPress': {
    path: '/any/page',
    body: /^front page of \/any\/page at \/index\.php\n$/,
  },
  'README.md: Configuration files': FRONT_PAGE,
  'README.md: PHP without a php-fpm to set up': FRONT_PAGE,
  'README.md: Other hosts': FRONT_PAGE,
  'README.md: Errors and logging': { path: '/', status: 503, body: /^Back in a minute$/ },
  'README.md: Errors and logging 2': 'ends',
  'README.md: Shutting down': FRONT_PAGE,
  'README.md: Testing PHP': 'ends',
  'docs/configuration.md: Configuration': 'ends',
  'docs/balancing.md: Many backends': FRONT_PAGE,
  'docs/balancing.md: Several processes': 'ends',
  'docs/observability.md: The status page': { path: '/fcgi-status?format=json', body: /"state":"up"/ },
  'docs/observability.md: The status page 2': { path: '/fcgi-status', body: /<main data-status="up">/ },
  'docs/observability.md: Prometheus': {
    path: '/metrics?format=prometheus',
    body: /^process_cpu_[\s\S]+^express_fastcgi_backend_up\{.*\} 1$/m,
  },
  'docs/observability.md: OpenTelemetry': FRONT_PAGE,
  'docs/deployment.md: Shutting down': {
    ...FRONT_PAGE,
    before: `${USES_PHP}\napp.use(php)\nconst server = app.listen(8080)`,
  },
  'docs/deployment.md: PM2': FRONT_PAGE,
  'docs/deployment.md: Behind nginx or a load balancer': FRONT_PAGE,
  'docs/deployment.md: Ready': { path: '/ready', body: /^ready$/ },
  'docs/deployment.md: Containers': FRONT_PAGE,
  'docs/responder.md: FastCGI applications in Node': {
    path: '/any?a=b',
    body: /^GET \/any\?a=b\n$/,
    before:
      "app.use(fastcgi({ server: '/run/greeter.sock', match: /^/, scriptFilename: '/greeter' }))\napp.listen(8080)",
  },
  'docs/responder.md: The response': 'ends',
  'docs/vite.md: PHP inside vite dev': 'ends',
  'README.md: In Vite': 'ends',
  'docs/errors.md: Errors': {
    path: '/',
    status: 502,
    body: /^Please try again later$/,
    before: "app.use(fastcgi({ root: 'public', server: '/run/php/nobody.sock' }))",
  },
}

/** A block as a whole program: what it takes for granted comes before it, and it listens. */
function programOf({ code }: CodeBlock, before = ''): string {
  const text = `${before}\n${code}`
  const lines = [before, code]
  if (/\bapp\b/.test(text) && !/const app\b/.test(text)) lines.unshift('const app = express()')
  if (/\bapp\b/.test(text) && !text.includes('.listen(') && !text.includes('request(app)'))
    lines.push('app.listen(8080)')
  if (!/from 'express-fastcgi(\/vite)?'/.test(text))
    lines.unshift("import { fastcgi, loadConfig } from 'express-fastcgi'")
  if (!text.includes("from 'express'")) lines.unshift("import express from 'express'")
  return lines.join('\n')
}

backend('php-fpm').describe('the code in the documents', () => {
  let fpm: Backend
  let directory: PrivateDirectory

  before(async () => {
    fpm = await startPhpFpm()
    directory = privateDirectory('docs')
    cpSync(join(repository, 'test/fixtures/documentation'), directory.path, { recursive: true })
    cpSync(join(repository, 'conf/monkey-1.6'), join(directory.path, 'monkey'), { recursive: true })
    cpSync(join(repository, 'examples/opentelemetry'), directory.path, { recursive: true })
    mkdirSync(join(directory.path, 'node_modules'))
    symlinkSync(repository, join(directory.path, 'node_modules/express-fastcgi'))
    for (const name of ['express', 'supertest', 'prom-client', '@opentelemetry']) {
      symlinkSync(join(repository, 'node_modules', name), join(directory.path, 'node_modules', name))
    }
    writeFileSync(join(directory.path, 'conf/fastcgi.conf'), here(fileOf('conf/fastcgi.conf')))
  })
  after(async () => {
    await fpm.stop()
    directory.remove()
  })

  const fileOf = (name: string): string => readFileSync(join(directory.path, name), 'utf8')

  /** The addresses and paths of the documents, as they are in this test. */
  function here(text: string): string {
    return text
      .replaceAll(/\/run\/php\/php-fpm\.sock|127\.0\.0\.1:9000|php:9000/g, fpm.address)
      .replaceAll('/run/greeter.sock', join(directory.path, 'greeter.sock'))
      .replaceAll('/var/www/html', join(directory.path, 'public'))
      .replaceAll('/etc/monkey', join(directory.path, 'monkey'))
  }

  const programs = blocks.filter(({ language }) => language === 'js' || language === 'ts')

  it('is all tried here', () => {
    assert.deepEqual(programs.map(({ place }) => place).sort(), Object.keys(TRIALS).sort())
  })

  for (const [index, block] of programs.entries()) {
    const trial = TRIALS[block.place] ?? 'ends'
    it(`runs: ${block.place}`, async () => {
      const script = join(directory.path, `block-${index}.mjs`)
      const text = here(programOf(block, trial === 'ends' ? '' : trial.before))
      writeFileSync(script, `import './report-url.mjs'\n${text}`)
      if (trial === 'ends') return await runScript(script, { cwd: directory.path })
      const site = await startServing(script, { cwd: directory.path })
      const { status, text: body } = await ask(site.url + trial.path)
      await site.stop()
      assert.deepEqual([status, site.output().match(/Error/)], [trial.status ?? 200, null], body + site.output())
      assert.match(body, trial.body ?? /^/)
      if (text.includes('SIGTERM')) assert.equal(await site.ended, 0)
    })
  }

  const commands = blocks
    .filter(({ language }) => language === 'sh')
    .flatMap(({ code }) => code.split('\n').filter((line) => line.startsWith('npx express-fastcgi ')))

  for (const command of commands) {
    it(`runs: ${command}`, async () => {
      const args = here(command).split(' ').slice(2)
      if (args[0] === 'serve') {
        await using site = await startServe(args.slice(1), { cwd: directory.path })
        assert.match((await ask(site.url)).text, /^front page of \/ at \/index\.php\n$/)
        return
      }
      await runScript(join(repository, 'dist/cli/main.js'), { cwd: directory.path, args })
    })
  }

  it('has commands', () => assert.equal(commands.length, 3))

  for (const [index, { place, code, language }] of blocks
    .filter(({ code }) => code.startsWith('[FASTCGI_'))
    .entries()) {
    it(`reads: ${place}`, () => {
      const file = join(directory.path, `block-${index}.${language === 'ini' ? 'ini' : 'conf'}`)
      writeFileSync(file, code)
      assert.deepEqual(readConfig(file).warnings, [])
    })
  }
})

describe('the documents', () => {
  it('link only to what is there', () => {
    for (const [file, text] of documents) {
      for (const link of localLinks(text)) {
        const [path = '', anchor] = link.split('#')
        const target = path === '' ? file : join(dirname(file), path)
        assert.ok(existsSync(join(repository, target)), `${file} links to ${link}`)
        if (anchor === undefined) continue
        assert.ok(
          headings(documents.get(target) ?? '')
            .map(anchorOf)
            .includes(anchor),
          `${file} links to ${link}`,
        )
      }
    }
  })

  it('name only files that are there', () => {
    for (const [file, text] of documents) {
      for (const [, path = ''] of text.matchAll(/`((?:test|lib|examples|conf|docs)\/[\w./-]+)`/g)) {
        assert.ok(existsSync(join(repository, path)), `${file} names ${path}`)
      }
    }
  })

  it('give each error code a heading with its status, and no other', () => {
    const text = documents.get('docs/errors.md') ?? ''
    const sections = [...text.matchAll(/^### (ERR_\w+)\n\n([\s\S]*?)(?=\n#|(?![\s\S]))/gm)]
    assert.deepEqual(sections.map(([, code]) => code).sort(), Object.keys(errorTable).sort())
    for (const [, code = '', prose = ''] of sections) {
      if (code === 'ERR_FCGI_INTERCEPTED') continue
      const { status } = errorTable[code as keyof typeof errorTable]
      assert.match(prose, new RegExp(`^Status ${status}\\b`), code)
    }
  })

  it('name a test for each guard of docs/security.md that has such a title', () => {
    const rows = [...(documents.get('docs/security.md') ?? '').matchAll(/^\| .+ \| `(test\/[\w./-]+)`: (.+) \|$/gm)]
    assert.ok(rows.length >= 20, `${rows.length} rows`)
    for (const [, file = '', title = ''] of rows) {
      const text = readFileSync(join(repository, file), 'utf8').replaceAll("\\'", "'")
      assert.ok(/(?:it|test)\(/.test(text) && text.includes(title), `${file} has no test "${title}"`)
    }
  })

  it('tell the version of the package in CHANGELOG.md', () => {
    const { version } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8'))
    assert.match(
      documents.get('CHANGELOG.md') ?? '',
      new RegExp(`^## \\[${version.replaceAll('.', '\\.')}\\] - \\d{4}-\\d\\d-\\d\\d$`, 'm'),
    )
  })
})
