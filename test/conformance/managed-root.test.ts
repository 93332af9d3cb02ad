import assert from 'node:assert/strict'
import { chmodSync, chownSync, cpSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, it } from 'node:test'
import { type Gateway, phpRoot, serve } from '../support/gateway.ts'
import { ask, askJson } from '../support/http-client.ts'
import { startedAddress } from '../support/managed.ts'
import { backend, pathOf } from '../support/require-backend.ts'

/** Debian's www-data; any number but 0 would do. */
const OWNER = { uid: 33, gid: 33 }

const WHO = `<?php
header('Content-Type: application/json');
foreach ($_FILES as $file) move_uploaded_file($file['tmp_name'], __DIR__ . '/uploads/' . $file['name']);
echo json_encode(['uid' => posix_getuid(), 'gid' => posix_getgid(), 'files' => scandir(__DIR__ . '/uploads')]);
`

const UPLOAD = [
  '--limit',
  'Content-Disposition: form-data; name="file"; filename="a.txt"',
  'Content-Type: text/plain',
  '',
  'content',
  '--limit--',
  '',
].join('\r\n')

for (const name of ['php-fpm', 'php-cgi'] as const) {
  backend(name).describe(`a ${name} of ours under root`, () => {
    if (process.getuid?.() !== 0) {
      it('runs as the owner of the document root', { skip: 'SKIPPED: this is not root' })
      return
    }
    const root = mkdtempSync(join(tmpdir(), 'fcgi-root-'))
    let gateway: Gateway

    before(async () => {
      cpSync(phpRoot, root, { recursive: true })
      writeFileSync(join(root, 'who.php'), WHO)
      mkdirSync(join(root, 'uploads'))
      chmodSync(root, 0o755)
      for (const path of [root, join(root, 'uploads')]) chownSync(path, OWNER.uid, OWNER.gid)
      gateway = await serve({ root, server: { command: pathOf(name), processes: 2 } })
    })
    after(async () => {
      await gateway.close()
      rmSync(root, { recursive: true })
    })

    it('runs as the owner of the document root', async () => {
      const { uid, gid } = await askJson<{ uid: number; gid: number }>(`${gateway.url}/who.php`)
      assert.deepEqual({ uid, gid }, OWNER)
    })

    it('keeps a session', async () => {
      const first = await ask(`${gateway.url}/session.php`)
      assert.equal(first.text, '1', gateway.log.join('\n'))
      const cookie = String(first.headers['set-cookie']).split(';', 1)[0] ?? ''
      assert.equal((await ask(`${gateway.url}/session.php`, { headers: { cookie } })).text, '2')
    })

    it('takes an upload', async () => {
      const headers = { 'Content-Type': 'multipart/form-data; boundary=limit' }
      const { files } = await askJson<{ files: string[] }>(`${gateway.url}/who.php`, {
        method: 'POST',
        headers,
        body: UPLOAD,
      })
      assert.deepEqual(files, ['.', '..', 'a.txt'])
      assert.equal(statSync(join(root, 'uploads/a.txt')).uid, OWNER.uid)
    })

    it('does not hand over the folder with the configuration that root reads', () => {
      const { uid, mode } = statSync(dirname(startedAddress(gateway.log)))
      assert.equal(uid, 0)
      assert.equal(mode & 0o027, 0)
    })
  })
}
