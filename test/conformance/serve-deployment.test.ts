import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { Agent } from 'node:http'
import { join } from 'node:path'
import { after, before, it } from 'node:test'
import { type Backend, startBackend, startOnFreePort } from '../support/backend.ts'
import { recipe } from '../support/deployment-document.ts'
import { type DocumentTree, documentTree } from '../support/document-tree.ts'
import { eventually } from '../support/eventually.ts'
import { ask, askJson } from '../support/http-client.ts'
import { privateDirectory } from '../support/private-directory.ts'
import { backend, pathOf } from '../support/require-backend.ts'
import { type ServeProcess, startServe } from '../support/serve-process.ts'

/** php-fpm with the pool of a file, read behind one that says where it listens, as the files of its image do. */
function startPhp(pool: string): Promise<Backend> {
  return startOnFreePort((port) => {
    const directory = privateDirectory('deployed')
    const address = `127.0.0.1:${port}`
    writeFileSync(join(directory.path, 'zz-site.conf'), pool)
    const first = ['[global]', 'error_log = /proc/self/fd/2', 'daemonize = no', '[www]', `listen = ${address}`]
    const user = process.getuid?.() === 0 ? ['user = root', 'group = root'] : []
    const image = ['pm = dynamic', 'pm.max_children = 5', 'pm.start_servers = 2', 'pm.min_spare_servers = 1']
    const main = [...first, ...user, ...image, 'pm.max_spare_servers = 3', `include = ${directory.path}/zz-*.conf`, '']
    writeFileSync(join(directory.path, 'php-fpm.conf'), main.join('\n'))
    const file = join(directory.path, 'php-fpm.conf')
    return startBackend({
      file: pathOf('php-fpm'),
      arguments: ['--nodaemonize', '--allow-to-run-as-root', '--fpm-config', file, '-n'],
      address,
      directory,
    })
  })
}

/** nginx with the server of a file, at a port of ours. */
function startNginxWith(site: string): Promise<Backend> {
  return startOnFreePort((port) => {
    const directory = privateDirectory('front')
    const file = join(directory.path, 'nginx.conf')
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    const paths = temporary.map((name) => `${name}_temp_path ${directory.path}/${name};`).join(' ')
    // Workers of a root master run as nobody, who may not enter the private directory.
    const user = process.getuid?.() === 0 ? 'user root;' : ''
    const main = `${user} daemon off; pid ${directory.path}/pid; error_log stderr warn; events {}`
    writeFileSync(
      file,
      `${main}\nhttp { ${paths} access_log off;\n${site.replace('listen 80;', `listen 127.0.0.1:${port};`)}}\n`,
    )
    return startBackend({
      file: pathOf('nginx'),
      arguments: ['-e', 'stderr', '-p', directory.path, '-c', file],
      address: `127.0.0.1:${port}`,
      directory,
    })
  })
}

backend('php-fpm', 'nginx').describe('the recipes of docs/deployment.md: nginx, a gateway, php-fpm', () => {
  let tree: DocumentTree
  let php: Backend
  let served: ServeProcess
  let nginx: Backend

  before(async () => {
    tree = documentTree(['style.css'])
    tree.write('index.php', "<?php echo json_encode($_SERVER + ['body' => file_get_contents('php://input')]);")
    php = await startPhp(recipe('ini', '; php-fpm.conf'))
    const conf = recipe('conf', '[FASTCGI_SERVER]')
      .replace('php:9000', php.address)
      .replace('/var/www/html', tree.root)
      .replace('interval=5s', 'interval=100ms')
    const trust = '[FASTCGI]\n    TrustForwarded loopback 10.0.0.0/8\n'
    served = await startServe(['--config', tree.write('conf/fastcgi.conf', `${trust}${conf}`)])
    nginx = await startNginxWith(recipe('nginx', 'upstream site {').replace('127.0.0.1:8080', served.url.slice(7)))
  })
  after(async () => {
    await nginx?.stop()
    await served?.stop()
    await php?.stop()
    tree?.remove()
  })

  const question = { headers: { Host: 'example.org', 'X-Forwarded-For': '203.0.113.7, 10.1.2.3' } }

  it('lets PHP know who the client is, and what it has asked', async () => {
    const facts = await askJson(`http://${nginx.address}/?a=b`, question)
    assert.deepEqual(
      [facts.REMOTE_ADDR, facts.SERVER_NAME, facts.SERVER_PORT, facts.REQUEST_SCHEME, facts.HTTPS, facts.QUERY_STRING],
      ['203.0.113.7', 'example.org', '80', 'http', undefined, 'a=b'],
    )
    assert.equal(facts.SCRIPT_FILENAME, `${tree.root}/index.php`)
  })

  it('takes a form of a megabyte, and sends files from the gateway', async () => {
    const body = 'x'.repeat(1_000_000)
    const facts = await askJson(`http://${nginx.address}/index.php`, { ...question, method: 'POST', body })
    assert.equal(facts.body, body)
    assert.equal((await ask(`http://${nginx.address}/style.css`, question)).text, 'content')
  })

  it('lets php-fpm answer pings, so that the gateway knows of its end before any request, and of its return', async () => {
    php.kill('SIGSTOP')
    await eventually('it is down', () => /php \(\S+\) is down/.test(served.output()))
    assert.equal((await ask(`http://${nginx.address}/style.css`, question)).status, 200)
    php.kill('SIGCONT')
    await eventually('it is up', () => /php \(\S+\) is up again/.test(served.output()))
    assert.equal((await ask(`http://${nginx.address}/`, question)).status, 200)
  })

  it('leaves the end of an idle connection to the balancer: 75 s', async () => {
    const agent = new Agent({ keepAlive: true })
    assert.equal((await ask(`${served.url}/style.css`, { agent })).headers['keep-alive'], 'timeout=75')
    agent.destroy()
  })
})
