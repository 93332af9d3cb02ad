import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parseAllDocuments, parseDocument } from 'yaml'
import { recipe } from '../support/deployment-document.ts'
import { type DocumentTree, documentTree } from '../support/document-tree.ts'
import { ask } from '../support/http-client.ts'
import { type Fake, startFake } from '../support/responder.ts'
import { program, startServe } from '../support/serve-process.ts'
import { BROKEN_CONFIG, configOf, reloaded } from '../support/served-config.ts'
import { startServing } from '../support/serving-process.ts'

const repository = fileURLToPath(new URL('../..', import.meta.url))

const SYSTEMD_ANALYZE = '/usr/bin/systemd-analyze'

let fake: Fake
let tree: DocumentTree

before(async () => {
  fake = await startFake((request) => request.answer('Content-Type: text/plain\r\n\r\nserved'))
  tree = documentTree(['public/index.php', 'server.js'])
  tree.write('conf/fastcgi.conf', configOf(fake.address))
  mkdirSync(join(tree.root, 'node_modules/.bin'), { recursive: true })
  symlinkSync(program, join(tree.root, 'node_modules/.bin/express-fastcgi'))
  symlinkSync(repository, join(tree.root, 'node_modules/express-fastcgi'))
  symlinkSync(join(repository, 'node_modules/express'), join(tree.root, 'node_modules/express'))
})
after(async () => {
  await fake.stop()
  tree.remove()
})

/** What stands behind `express-fastcgi serve`, but for the port. */
function serveArguments(words: readonly string[]): readonly string[] {
  assert.match(words[0] ?? '', /^(?:\/srv\/site\/)?node_modules\/\.bin\/express-fastcgi$/)
  assert.equal(words[1], 'serve')
  const port = words.indexOf('--port')
  return words.slice(2).filter((_, index) => port === -1 || (index !== port - 2 && index !== port - 1))
}

describe('the systemd unit of docs/deployment.md', () => {
  const unit = recipe('ini', '# /etc/systemd/system/site.service')
  const lines = unit.split('\n').filter((line) => line.includes('='))
  const valuesOf = (key: string): string[] =>
    lines.filter((line) => line.startsWith(`${key}=`)).map((line) => line.slice(key.length + 1))

  it('is one that systemd understands', { skip: !existsSync(SYSTEMD_ANALYZE) && 'no systemd' }, () => {
    const file = tree.write('site.service', unit.replaceAll('/srv/site/', `${tree.root}/`))
    const { status, stderr } = spawnSync(SYSTEMD_ANALYZE, ['verify', '--man=no', file], { encoding: 'utf8' })
    assert.deepEqual([status, stderr.split('\n').filter((line) => line.includes('site.service'))], [0, []])
  })

  it('is of sections and keys, none twice but Exec', () => {
    const keys = lines.map((line) => line.split('=')[0] ?? '').filter((key) => !/^Exec(?:Reload|StartPre)$/.test(key))
    assert.deepEqual([...new Set(keys)], keys)
    assert.deepEqual(unit.match(/^\[.+\]$/gm), ['[Unit]', '[Service]', '[Install]'])
    assert.deepEqual([valuesOf('Type'), valuesOf('TimeoutStopSec')], [['exec'], ['90']])
  })

  it('starts, reloads and stops the site, and fails a reload of a broken file', async () => {
    const run = (command: string, mainPid: number): number | null =>
      spawnSync('/bin/sh', ['-c', command.replaceAll('/srv/site', tree.root)], {
        cwd: tree.root,
        env: { ...process.env, MAINPID: String(mainPid) },
      }).status
    assert.deepEqual(
      valuesOf('ExecStartPre').map((command) => run(command, 0)),
      [0],
    )
    const args = serveArguments(valuesOf('ExecStart')[0]?.split(' ') ?? [])
    await using served = await startServe(args, { cwd: tree.root })
    assert.equal((await ask(served.url)).text, 'served')
    assert.deepEqual(
      valuesOf('ExecReload').map((command) => run(command, served.pid)),
      [0, 0],
    )
    await reloaded(served, 1)
    tree.write('conf/fastcgi.conf', BROKEN_CONFIG)
    assert.equal(run(valuesOf('ExecReload')[0] ?? '', served.pid), 1)
    tree.write('conf/fastcgi.conf', configOf(fake.address))
    served.kill('SIGTERM')
    assert.equal(await served.ended, 0)
  })
})

describe('the ecosystem of PM2 of docs/deployment.md', () => {
  it('runs the program beside it in a cluster that knows how many it is, and ends with SIGINT', async () => {
    tree.write('ecosystem.config.cjs', recipe('cjs', '// ecosystem.config.cjs'))
    const server = recipe('js', 'PM2').replace('8080', 'Number(process.env.PORT)')
    tree.write('server.mjs', server.replace('/run/php/php-fpm.sock', fake.address))
    // What PM2 does: the workers' primary knows nothing of us, counts who is ready, and ends them with SIGINT.
    const primary = tree.write(
      'pm2.mjs',
      `import cluster from 'node:cluster'
import { once } from 'node:events'
import { createServer } from 'node:net'
import config from './ecosystem.config.cjs'
const [{ script, exec_mode, instances, env, wait_ready, ...others }] = config.apps
if (script !== 'server.js' || exec_mode !== 'cluster' || !wait_ready) throw new Error('another set-up')
console.log(JSON.stringify(others))
const free = createServer().listen(0, '127.0.0.1')
await once(free, 'listening')
const { port } = free.address()
await new Promise((resolve) => free.close(resolve))
cluster.setupPrimary({ exec: 'server.mjs' })
let ready = 0
cluster.on('message', (_, message) => {
  if (message === 'ready') ready += 1
  if (ready === instances) console.log('http://127.0.0.1:' + port)
})
const all = Array.from({ length: instances }, () => cluster.fork({ ...env, PORT: port }))
process.on('SIGTERM', () => {
  for (const worker of all) worker.process.kill('SIGINT')
})
await Promise.all(all.map((worker) => once(worker, 'exit').then(([code, signal]) => console.log('ended', code, signal))))
`,
    )
    const site = await startServing(primary, { cwd: tree.root })
    for (let request = 0; request < 8; request += 1) assert.equal((await ask(site.url)).text, 'served')
    site.kill('SIGTERM')
    assert.equal(await site.ended, 0)
    assert.deepEqual(
      site.output().match(/^ended .*$/gm),
      Array.from({ length: 4 }, () => 'ended 0 null'),
    )
    assert.match(site.output(), /^\{"name":"site","kill_timeout":90000\}$/m)
    assert.doesNotMatch(site.output(), /does not deal|Error/)
  })
})

/** The parts of a container's recipe that others must agree with. */
const IMAGE = {
  dockerfile: recipe('dockerfile', '# Dockerfile'),
  conf: recipe('conf', '[FASTCGI_SERVER]'),
}

describe('the image of docs/deployment.md', () => {
  const stages = [...IMAGE.dockerfile.matchAll(/^FROM \S+ AS (\w+)$/gm)].map(([, name]) => name)

  it('has a gateway and a PHP', () => assert.deepEqual(stages, ['gateway', 'php']))

  it('runs a command that serves the configuration that is mounted, and takes it over when it changes', async () => {
    const words = JSON.parse(/^CMD (\[.+\])$/m.exec(IMAGE.dockerfile)?.[1] ?? '[]') as string[]
    await using served = await startServe(serveArguments(words), { cwd: tree.root })
    assert.equal((await ask(served.url.replace('localhost', '127.0.0.1'))).text, 'served')
    tree.write('conf/fastcgi.conf', configOf(fake.address, ['ReadTimeout 50s']))
    await reloaded(served, 1)
    served.kill('SIGHUP')
    await reloaded(served, 2)
  })

  it('has the site where the configuration says', () => {
    const root = /DocumentRoot (\S+)/.exec(IMAGE.conf)?.[1]
    assert.equal(IMAGE.dockerfile.split(`COPY public ${root}\n`).length, 3)
  })
})

/** Seconds. */
function seconds(text: string): number {
  return Number(/^(\d+)s$/.exec(text)?.[1])
}

describe('the Compose file of docs/deployment.md', () => {
  const document = parseDocument(recipe('yaml', '# compose.yaml'), { strict: true, uniqueKeys: true })
  const { services } = document.toJS() as { services: Record<string, Service> }
  interface Service {
    readonly build: { readonly target: string }
    readonly ports?: readonly string[]
    readonly volumes?: readonly string[]
    readonly stop_grace_period: string
  }

  it('is YAML without a warning', () => assert.deepEqual([document.errors, document.warnings], [[], []]))

  it('builds the stages of the image, under the name that the configuration asks for', () => {
    for (const { build } of Object.values(services))
      assert.match(IMAGE.dockerfile, new RegExp(` AS ${build.target}$`, 'm'))
    const [, host = '', port] = /ServerAddr +([\w.]+):(\d+)/.exec(IMAGE.conf) ?? []
    assert.ok(services[host])
    assert.equal(services[host]?.ports, undefined, 'nobody else can ask it')
    assert.equal(port, '9000')
  })

  it('mounts the directory of the configuration where the command looks, and publishes its port', () => {
    const folder = /^WORKDIR (\S+)$/m.exec(IMAGE.dockerfile)?.[1]
    assert.deepEqual(services.gateway?.volumes, [`./conf:${folder}/conf:ro`])
    assert.match(IMAGE.dockerfile, /"conf\/fastcgi\.conf"/)
    assert.deepEqual(services.gateway?.ports, ['8080:8080'])
  })

  it('gives the slowest request time', () => {
    assert.ok(seconds(services.gateway?.stop_grace_period ?? '') > 60)
  })
})

interface KubernetesObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string }
  readonly data?: Readonly<Record<string, string>>
  // biome-ignore lint/suspicious/noExplicitAny: its shape is what is tested
  readonly spec?: any
}

describe('the objects for Kubernetes of docs/deployment.md', () => {
  const documents = parseAllDocuments(recipe('yaml', '# site.yaml'), { strict: true, uniqueKeys: true })
  const objects = (Array.isArray(documents) ? documents : []).map((document) => document.toJS() as KubernetesObject)
  const find = (kind: string, name: string): KubernetesObject => {
    const object = objects.find((one) => one.kind === kind && one.metadata.name === name)
    assert.ok(object, `there is no ${kind} ${name}`)
    return object
  }
  const podOf = (name: string): KubernetesObject['spec'] => find('Deployment', name).spec.template.spec

  it('are YAML without a warning, each with its kind, version and name, none twice', () => {
    for (const { errors, warnings } of documents) assert.deepEqual([errors, warnings], [[], []])
    assert.deepEqual(
      objects.map(({ apiVersion, kind, metadata }) => `${apiVersion} ${kind} ${metadata.name}`),
      [
        'v1 ConfigMap gateway',
        'v1 Service php',
        'apps/v1 Deployment php',
        'v1 Service site',
        'apps/v1 Deployment gateway',
        'networking.k8s.io/v1 NetworkPolicy php',
      ],
    )
  })

  it('have the configuration that the other recipe has', () => {
    assert.equal(find('ConfigMap', 'gateway').data?.['fastcgi.conf'], IMAGE.conf)
  })

  it('select what they mean', () => {
    for (const name of ['php', 'gateway']) {
      const { selector, template } = find('Deployment', name).spec
      assert.deepEqual(selector.matchLabels, template.metadata.labels)
      assert.deepEqual(selector.matchLabels, { app: name })
    }
    assert.deepEqual(find('Service', 'php').spec.selector, { app: 'php' })
    assert.deepEqual(find('Service', 'site').spec.selector, { app: 'gateway' })
    const { podSelector, ingress } = find('NetworkPolicy', 'php').spec
    assert.deepEqual(podSelector.matchLabels, { app: 'php' })
    assert.deepEqual(ingress[0].from[0].podSelector.matchLabels, { app: 'gateway' })
  })

  it('give the name of the backend an address for every pod, on one port', () => {
    const { clusterIP, ports } = find('Service', 'php').spec
    assert.equal(clusterIP, 'None')
    const [php] = podOf('php').containers
    const numbers = [ports[0].port, php.ports[0].containerPort, php.readinessProbe.tcpSocket.port]
    assert.deepEqual(new Set(numbers), new Set([9000]))
    assert.match(IMAGE.conf, /ServerAddr +php:9000/)
    assert.deepEqual(find('NetworkPolicy', 'php').spec.ingress[0].ports, [{ port: 9000 }])
  })

  it('mount the configuration as a directory, where the command looks', () => {
    const { containers, volumes } = podOf('gateway')
    const [gateway] = containers
    assert.deepEqual(gateway.volumeMounts, [{ name: 'conf', mountPath: '/srv/site/conf' }])
    assert.deepEqual(volumes, [{ name: 'conf', configMap: { name: 'gateway' } }])
    assert.deepEqual([gateway.ports[0].containerPort, find('Service', 'site').spec.ports[0].targetPort], [8080, 8080])
  })

  it('wait longer for the last request than it may take, and for PHP longer than its name lives', () => {
    for (const [name, least] of [
      ['gateway', 5],
      ['php', 30],
    ] as const) {
      const { terminationGracePeriodSeconds, containers } = podOf(name)
      const [command, pause] = containers[0].lifecycle.preStop.exec.command
      assert.equal(command, 'sleep')
      assert.ok(Number(pause) >= least)
      assert.ok(terminationGracePeriodSeconds >= Number(pause) + 60)
    }
  })
})
