import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import type { IncomingHttpHeaders } from 'node:http'
import { join } from 'node:path'
import { after, before, it } from 'node:test'
import { promisify } from 'node:util'
import express from 'express'
import { fastcgi } from '../../lib/index.ts'
import type { Backend } from '../support/backend.ts'
import { startFcgiwrap } from '../support/fcgiwrap.ts'
import { ask } from '../support/http-client.ts'
import { type PrivateDirectory, privateDirectory } from '../support/private-directory.ts'
import { backend, pathOf } from '../support/require-backend.ts'
import { listen, type Site } from '../support/site.ts'

const MEGABYTE = 1024 * 1024

for (const keepAlive of [false, true]) {
  backend('git', 'git-http-backend', 'fcgiwrap').describe(
    `git-http-backend under fcgiwrap, keepAlive ${keepAlive ? 'on' : 'off'}`,
    () => {
      let place: PrivateDirectory
      let wrap: Backend
      let site: Site
      let close: () => Promise<void>
      const requests: { method: string; url: string; headers: IncomingHttpHeaders }[] = []

      before(async () => {
        place = privateDirectory('git')
        mkdirSync(join(place.path, 'served'))
        wrap = await startFcgiwrap()
        const handler = fastcgi({
          server: wrap.address,
          match: /^\//,
          scriptFilename: pathOf('git-http-backend'),
          keepAlive,
          params: {
            GIT_PROJECT_ROOT: join(place.path, 'served'),
            GIT_HTTP_EXPORT_ALL: '1',
            REMOTE_USER: 'pusher',
            ...isolation(place.path),
          },
          logger: false,
        })
        const app = express()
        app.use('/git', (req, res, next) => {
          requests.push({ method: req.method, url: req.originalUrl, headers: req.headers })
          handler(req, res, next)
        })
        site = await listen(app)
        close = () => handler.close()
        await git('init', '--quiet', '--bare', '--initial-branch=main', served())
        await git('-C', served(), 'config', 'http.receivepack', 'true')
      })
      after(async () => {
        await site?.close()
        await close?.()
        await wrap?.stop()
        place?.remove()
      })

      const served = (): string => join(place.path, 'served', 'project.git')
      const work = (): string => join(place.path, 'work')
      const url = (): string => `${site.url}/git/project.git`

      async function git(...parameters: string[]): Promise<string> {
        const { stdout } = await promisify(execFile)(pathOf('git'), parameters, {
          cwd: place.path,
          env: { PATH: process.env.PATH, ...isolation(place.path) } as NodeJS.ProcessEnv,
          maxBuffer: 16 * MEGABYTE,
        })
        return stdout.trim()
      }

      async function commit(folder: string, name: string, content: Buffer | string): Promise<void> {
        writeFileSync(join(folder, name), content)
        await git('-C', folder, 'add', '--all')
        await git('-C', folder, 'commit', '--quiet', `--message=adds ${name}`)
      }

      it('takes a push of 24 MiB as a chunked body', async () => {
        await git('init', '--quiet', '--initial-branch=main', work())
        for (let file = 0; file < 3; file++) await commit(work(), `file-${file}`, randomBytes(8 * MEGABYTE))
        requests.length = 0
        await git('-C', work(), '-c', 'http.postBuffer=65536', 'push', '--quiet', url(), 'main')
        const push = requests.filter(({ url: path }) => path.endsWith('/git-receive-pack')).at(-1)
        assert.equal(push?.headers['transfer-encoding'], 'chunked')
        await git('-C', served(), 'fsck', '--full', '--strict')
        assert.equal(await git('-C', served(), 'rev-parse', 'main'), await git('-C', work(), 'rev-parse', 'main'))
      })

      it('takes a push with a known length of some MiB', async () => {
        await commit(work(), 'known', randomBytes(5 * MEGABYTE))
        requests.length = 0
        await git('-C', work(), '-c', 'http.postBuffer=67108864', 'push', '--quiet', url(), 'main')
        const push = requests.filter(({ url: path }) => path.endsWith('/git-receive-pack')).at(-1)
        assert.ok(Number(push?.headers['content-length']) > 5 * MEGABYTE)
        assert.equal(await git('-C', served(), 'rev-parse', 'main'), await git('-C', work(), 'rev-parse', 'main'))
      })

      // Each version once is enough, they have little to do with how connections are kept.
      for (const version of [keepAlive ? '2' : '0']) {
        it(`clones every byte with protocol version ${version}`, async () => {
          const clone = join(place.path, `clone-${version}`)
          await git('-c', `protocol.version=${version}`, 'clone', '--quiet', url(), clone)
          await git('-C', clone, 'fsck', '--full', '--strict')
          assert.equal(
            await git('-C', clone, 'rev-parse', 'HEAD^{tree}'),
            await git('-C', work(), 'rev-parse', 'HEAD^{tree}'),
          )
          assert.equal(await git('-C', clone, 'status', '--porcelain'), '')
        })

        it(`fetches with a gzip'd request body, protocol version ${version}`, async () => {
          const clone = join(place.path, `clone-${version}`)
          // Many commits that the other side does not know: the talk about what both have grows past a kilobyte.
          for (let number = 0; number < 40; number++) {
            await git('-C', clone, 'commit', '--quiet', '--allow-empty', `--message=mine, ${number}`)
          }
          // Several branches that this side wants, for the same reason.
          for (let number = 0; number < 8; number++) {
            await git('-C', work(), 'commit', '--quiet', '--allow-empty', `--message=${version}, ${number}`)
            await git('-C', work(), 'branch', `side-${version}-${number}`)
          }
          await git('-C', work(), 'push', '--quiet', '--all', url())
          requests.length = 0
          await git('-C', clone, '-c', `protocol.version=${version}`, 'fetch', '--quiet', 'origin')
          const zipped = requests.filter(({ headers }) => headers['content-encoding'] === 'gzip')
          assert.ok(zipped.length > 0, 'git has not sent a gzip’d body, and the test tests nothing')
          assert.equal(await git('-C', clone, 'rev-parse', 'origin/main'), await git('-C', work(), 'rev-parse', 'main'))
        })
      }

      it('answers 404 for a repository that is not there', async () => {
        const answer = await ask(`${site.url}/git/nothing.git/info/refs?service=git-upload-pack`)
        assert.equal(answer.status, 404)
      })

      it('serves the files of the dumb protocol as they are', async () => {
        const answer = await ask(`${site.url}/git/project.git/HEAD`)
        assert.equal(answer.text, 'ref: refs/heads/main\n')
      })
    },
  )
}

/** No configuration of the machine or of the user has a say. */
function isolation(home: string): Record<string, string> {
  return {
    HOME: home,
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_TERMINAL_PROMPT: '0',
    GIT_AUTHOR_NAME: 'A Tester',
    GIT_AUTHOR_EMAIL: 'tester@example.org',
    GIT_COMMITTER_NAME: 'A Tester',
    GIT_COMMITTER_EMAIL: 'tester@example.org',
  }
}
