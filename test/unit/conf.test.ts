import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join, relative } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { loadConfig, readConfig } from '../../lib/config/load.ts'
import { resolveOptions } from '../../lib/options/resolve.ts'

const repository = fileURLToPath(new URL('../..', import.meta.url))
const conf = join(relative(process.cwd(), repository), 'conf')

/** Monkey's own example has no DocumentRoot: Monkey takes it from the site, here JavaScript gives it. */
const ROOTLESS: ReadonlySet<string> = new Set(['monkey-1.5.conf'])

describe('conf/', () => {
  for (const name of readdirSync(join(repository, 'conf')).sort()) {
    it(`${name} loads without a warning and can be served`, () => {
      const { options, warnings } = readConfig(join(conf, name))
      assert.deepEqual(warnings, [])
      const { servers, locations } = resolveOptions(ROOTLESS.has(name) ? { ...options, root: 'public' } : options)
      assert.ok(servers.length > 0 && locations.length > 0)
    })
  }

  it('fastcgi.conf leaves every default as it is', () => {
    const { locations, servers } = resolveOptions(loadConfig(join(conf, 'fastcgi.conf')))
    const short = resolveOptions({ root: join(conf, '../public'), server: { address: '/run/php/php-fpm.sock' } })
    assert.deepEqual(servers, [{ ...short.servers[0], name: 'php' }])
    assert.deepEqual(locations, [{ ...short.locations[0], name: 'php', servers: ['php'] }])
  })

  it('fastcgi.conf takes another root from JavaScript', () => {
    const { locations } = resolveOptions({ ...loadConfig(join(conf, 'fastcgi.conf')), root: '/srv/htdocs' })
    assert.equal(locations[0]?.root, '/srv/htdocs')
  })

  it('many-backends.conf has a stronger server that is asked whether it is up, and a backup', () => {
    const { locations, servers } = resolveOptions(loadConfig(join(conf, 'many-backends.conf')))
    assert.deepEqual(locations[0]?.servers, ['here', 'there', 'reserve'])
    assert.deepEqual(
      servers.map(({ weight, backup, healthCheck }) => [weight, backup, healthCheck?.ping]),
      [
        [1, false, undefined],
        [2, false, '/ping'],
        [1, true, undefined],
      ],
    )
  })

  it('monkey-1.6 serves unknown hosts with the default site and Indexfile', () => {
    const [location] = resolveOptions(loadConfig(join(conf, 'monkey-1.6'))).locations
    assert.deepEqual(location?.hosts, ['localhost', 'www.example.com', '*'])
    assert.deepEqual(location?.index, ['index.html', 'index.htm', 'index.php'])
  })
})
