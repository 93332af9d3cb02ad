import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import type { RequestFacts } from '../../../../lib/cgi/facts.ts'
import { Resolver } from '../../../../lib/http/resolution/resolution.ts'
import type { ResolvableLocation } from '../../../../lib/http/resolution/site.ts'
import type { Match } from '../../../../lib/routing/pattern.ts'
import { documentTree } from '../../../support/document-tree.ts'
import { factsOf, phpLocation } from '../../../support/facts.ts'

const tree = documentTree([
  'www/index.php',
  'www/info.php',
  'www/style.css',
  'www/.env',
  'www/sub/index.php',
  'www/sub/page.php',
  'www/empty/',
  'www/page/index.html',
  'www/dir.php/inner.php',
  'www/wiki/index.php',
  'other/index.php',
  'other/only.php',
  'outside/secret.php',
])
after(() => tree.remove())
const root = `${tree.root}/www`
tree.link('www/escape.php', `${tree.root}/outside/secret.php`)

type Given = Partial<ResolvableLocation> & { readonly name?: string }

/** One line for what becomes of a request. */
async function resolve(
  url: string,
  given: Given | readonly Given[] = {},
  facts: Partial<RequestFacts> = {},
): Promise<string> {
  const locations = [given].flat().map((one) => phpLocation(one.root ?? root, one))
  const resolution = await new Resolver(locations).resolve(factsOf(url, facts))
  switch (resolution.kind) {
    case 'pass':
      return 'pass'
    case 'redirect':
      return `301 ${resolution.to}`
    case 'static':
      return `static ${resolution.path} by ${resolution.location.name}`
    case 'script': {
      const { scriptName, pathInfo } = resolution.script
      return `${scriptName}|${pathInfo} by ${resolution.location.name}`
    }
  }
}

const hidden = { code: 'ERR_FCGI_SCRIPT_HIDDEN', status: 404 }
const everything: readonly Match[] = [/./]

describe('a script', () => {
  test('is found with its PATH_INFO and names under the root', async () => {
    const location = phpLocation(root)
    assert.deepEqual(await new Resolver([location]).resolve(factsOf('/sub/page.php/a%20b?c')), {
      kind: 'script',
      location,
      script: {
        scriptName: '/sub/page.php',
        pathInfo: '/a b',
        scriptFilename: `${root}/sub/page.php`,
        documentRoot: root,
      },
      params: Object.create(null),
    })
  })

  for (const [url, outcome] of [
    ['/info.php', '/info.php| by php'],
    ['//sub/./page.php', '/sub/page.php| by php'],
    ['/x/../info%2Ephp', '/info.php| by php'],
    ['/info.php/', '/info.php|/ by php'],
    ['/dir.php/inner.php/x', '/dir.php/inner.php|/x by php'],
    ['/none.php', 'pass'],
    ['/style.css/x.php', 'pass'],
    ['/none', 'pass'],
    ['/style.css', 'pass'],
    ['/empty', 'pass'],
    ['/empty/', 'pass'],
  ] as const) {
    test(`for ${url}: ${outcome}`, async () => assert.equal(await resolve(url), outcome))
  }

  for (const method of ['POST', 'OPTIONS', 'PROPFIND', 'DELETE']) {
    test(`runs for ${method} too`, async () => {
      assert.equal(await resolve('/info.php', {}, { method }), '/info.php| by php')
    })
  }

  test('passes OPTIONS * on', async () => {
    assert.equal(await resolve('/', {}, { method: 'OPTIONS', path: '*' }), 'pass')
  })
})

describe('the order of locations', () => {
  test('is that of the file', async () => {
    const locations = [{ name: 'sub', match: [/^\/sub\/.*\.php/] }, { name: 'php' }]
    assert.equal(await resolve('/sub/page.php', locations), '/sub/page.php| by sub')
    assert.equal(await resolve('/info.php', locations), '/info.php| by php')
  })

  test('does not go on to the next where a script is not there', async () => {
    const locations = [{ name: 'www' }, { name: 'other', root: `${tree.root}/other` }]
    assert.equal(await resolve('/none.php', locations), 'pass')
  })

  test('refuses a script of one root that a location over another root took and has not', async () => {
    const locations = [{ name: 'www' }, { name: 'other', root: `${tree.root}/other` }]
    await assert.rejects(resolve('/only.php', locations), hidden)
  })

  test('goes by host', async () => {
    const locations = [
      { name: 'a', hosts: ['a.example'] },
      { name: 'rest', hosts: ['*'] },
    ]
    assert.equal(await resolve('/info.php', locations, { serverName: 'a.example' }), '/info.php| by a')
    assert.equal(await resolve('/info.php', locations, { serverName: 'b.example' }), '/info.php| by rest')
    assert.equal(await resolve('/none.php', locations.slice(0, 1), { serverName: 'b.example' }), 'pass')
  })

  test('refuses a script of one host that is asked for under another, as express.static asks for no host', async () => {
    const locations = [{ hosts: ['a.example'] }, { root: `${tree.root}/other`, hosts: ['b.example'] }]
    for (const serverName of ['b.example', 'c.example', '']) {
      await assert.rejects(resolve('/info.php', locations, { serverName }), hidden)
    }
    assert.equal(await resolve('/only.php', locations, { serverName: 'b.example' }), '/only.php| by php')
  })

  test('finds an index through the location whose match takes it', async () => {
    const locations = [{ name: 'sub', match: [/^\/sub\/index\.php$/] }, { name: 'php' }]
    assert.equal(await resolve('/sub/', locations), '/sub/index.php| by sub')
    assert.equal(await resolve('/', locations), '/index.php| by php')
  })

  test('prefers the front controller of the location that takes the path', async () => {
    const locations = [
      { name: 'php', frontController: '/index.php' },
      { name: 'wiki', match: ['/wiki{/*page}'], frontController: '/wiki/index.php' },
    ]
    assert.equal(await resolve('/wiki/Page', locations), '/wiki/index.php| by wiki')
    assert.equal(await resolve('/else', locations), '/index.php| by php')
  })

  test('takes the first front controller where no location takes the path', async () => {
    const locations = [{ name: 'php' }, { name: 'front', match: [/never/], frontController: '/index.php' }]
    assert.equal(await resolve('/pretty', locations), '/index.php| by front')
    assert.equal(await resolve('/none.php', locations), 'pass')
  })
})

describe('an index', () => {
  for (const [url, outcome] of [
    ['/', '/index.php| by php'],
    ['/sub/', '/sub/index.php| by php'],
    ['/sub', '301 /sub/'],
    ['/sub?a=b', '301 /sub/?a=b'],
    ['//sub', '301 /sub/'],
    ['/sub/.', '/sub/index.php| by php'],
    ['/page/', 'pass'],
    ['/page', 'pass'],
  ] as const) {
    test(`for ${url}: ${outcome}`, async () => assert.equal(await resolve(url), outcome))
  }

  test('is looked for whatever the method, and redirects only what is read', async () => {
    for (const method of ['OPTIONS', 'PROPFIND', 'POST']) {
      assert.equal(await resolve('/sub/', {}, { method }), '/sub/index.php| by php')
      assert.equal(await resolve('/sub', {}, { method }), '/sub/index.php| by php')
    }
    assert.equal(await resolve('/sub', {}, { method: 'HEAD' }), '301 /sub/')
  })

  test('leads a mount that was written without a slash to it', async () => {
    const mounted = { mount: '/blog', atMount: true, query: 'x' }
    assert.equal(await resolve('/', {}, mounted), '301 /blog/?x')
    assert.equal(await resolve('/', {}, { ...mounted, method: 'POST' }), '/index.php| by php')
    assert.equal(await resolve('/sub', {}, { mount: '/blog' }), '301 /blog/sub/')
  })

  test('is the first of the list that is there', async () => {
    assert.equal(await resolve('/sub/', { index: ['default.php', 'page.php', 'index.php'] }), '/sub/page.php| by php')
  })

  test('is none where none is configured', async () => {
    assert.equal(await resolve('/sub/', { index: [] }), 'pass')
    assert.equal(await resolve('/sub', { index: [] }), 'pass')
  })

  test('runs only with a script extension', async () => {
    assert.equal(await resolve('/page/', { index: ['index.html'], match: everything }), 'pass')
    assert.equal(
      await resolve('/page/', { index: ['index.php', 'index.html'], static: true }),
      'static /page/index.html by php',
    )
    assert.equal(await resolve('/page', { index: ['index.html'], static: true }), '301 /page/')
    assert.equal(await resolve('/page/', { index: ['index.html'], static: true }, { method: 'POST' }), 'pass')
  })
})

describe('a front controller', () => {
  const front = { frontController: '/index.php' }
  for (const [url, outcome] of [
    ['/pretty/path', '/index.php| by php'],
    ['/pretty/path/', '/index.php| by php'],
    ['/none.php', '/index.php| by php'],
    ['/none.php/x', '/index.php| by php'],
    ['/empty/', '/index.php| by php'],
    ['/empty', '/index.php| by php'],
    ['/info.php/x', '/info.php|/x by php'],
    ['/sub/', '/sub/index.php| by php'],
    ['/style.css', 'pass'],
    ['/style.css/', '/index.php| by php'],
    ['/style%2ecss', 'pass'],
    ['/a%2fb', '/index.php| by php'],
    ['/a%5cb', '/index.php| by php'],
    ['/sub%2fpage.php', '/index.php| by php'],
  ] as const) {
    test(`for ${url}: ${outcome}`, async () => assert.equal(await resolve(url, front), outcome))
  }

  test('is told the parameters of the route that took the path', async () => {
    const resolver = new Resolver([phpLocation(root, { ...front, match: ['/user/:name'] })])
    const resolution = await resolver.resolve(factsOf('/user/zo%C3%AB'))
    assert.ok(resolution.kind === 'script')
    assert.deepEqual({ ...resolution.params }, { name: 'zoë' })
  })

  test('is not looked at on disk, unless links are', async () => {
    const missing = { frontController: '/missing.php' }
    assert.equal(await resolve('/pretty', missing), '/missing.php| by php')
    assert.equal(await resolve('/pretty', { ...missing, symlinks: 'inside' }), 'pass')
    assert.equal(await resolve('/pretty', { frontController: '/escape.php', symlinks: 'inside' }), 'pass')
  })
})

describe('without a look at the disk (checkLocal off)', () => {
  const remote = { root: '/var/www/elsewhere', checkLocal: false }
  for (const [url, outcome] of [
    ['/a/b.php/c', '/a/b.php|/c by php'],
    ['/a/', '/a/index.php| by php'],
    ['/a', 'pass'],
    ['/', '/index.php| by php'],
  ] as const) {
    test(`for ${url}: ${outcome}`, async () => assert.equal(await resolve(url, remote), outcome))
  }

  test('everything else goes to the front controller', async () => {
    assert.equal(await resolve('/a', { ...remote, frontController: '/index.php' }), '/index.php| by php')
    assert.equal(await resolve('/a.css', { ...remote, frontController: '/index.php' }), '/index.php| by php')
  })

  test('the mount itself is led to its slash', async () => {
    assert.equal(await resolve('/', remote, { mount: '/m', atMount: true }), '301 /m/')
  })

  for (const url of ['/a%2fb.php', '/A.PHP', '/a.php.', '/a.php::$DATA']) {
    test(`${url} is refused by its look`, async () => assert.rejects(resolve(url, remote), hidden))
  }
})

describe('one program for a location', () => {
  const git = { name: 'git', match: ['/git{/*path}'], scriptFilename: '/usr/lib/git-http-backend', root: null }

  test('is asked for the path alone, at once', () => {
    const resolver = new Resolver([phpLocation(root, git)])
    assert.deepEqual(resolver.resolve(factsOf('/git/repo.git/info/refs')), {
      kind: 'script',
      location: phpLocation(root, git),
      script: {
        scriptName: '/git',
        pathInfo: '/repo.git/info/refs',
        scriptFilename: '/usr/lib/git-http-backend',
        documentRoot: '',
      },
      params: Object.assign(Object.create(null), { path: 'repo.git/info/refs' }),
    })
  })

  for (const [url, outcome] of [
    ['/git', '/git| by git'],
    ['/git/', '/git|/ by git'],
    ['/git//a', '/git|//a by git'],
    ['/git/a%2fb', '/git|/a/b by git'],
    ['/git/a%5cb', '/git|/a\\b by git'],
    ['/GIT/a', '/GIT|/a by git'],
    ['/gitx', 'pass'],
  ] as const) {
    test(`for ${url}: ${outcome}`, async () => assert.equal(await resolve(url, git), outcome))
  }

  test('cuts bytes where the route is not ASCII', async () => {
    const given = { ...git, match: ['/caf\u00e9{/*path}'] }
    assert.equal(await resolve('/caf%C3%A9/%C3%A9', given), '/caf\xc3\xa9|/\xc3\xa9 by git')
  })

  test('is the whole mount under a RegExp', async () => {
    const given = { ...git, match: everything }
    assert.equal(await resolve('/a/b', given), '|/a/b by git')
    assert.equal(await resolve('/', given, { mount: '/m', atMount: true }), '| by git')
  })

  async function filename(url: string, scriptFilename: string): Promise<string> {
    const resolver = new Resolver([phpLocation(root, { ...git, match: ['/tools/:tool{/*rest}'], scriptFilename })])
    const resolution = await resolver.resolve(factsOf(url))
    return resolution.kind === 'script' ? resolution.script.scriptFilename : resolution.kind
  }

  test('has the parameters of the route in its file name', async () => {
    assert.equal(await filename('/tools/disk', '/srv/:tool.cgi'), '/srv/disk.cgi')
    assert.equal(await filename('/tools/%C3%A9', '/srv/:tool.cgi'), '/srv/\xc3\xa9.cgi')
    assert.equal(await filename('/tools/disk/..x/a', '/srv/:tool.cgi'), '/srv/disk.cgi')
    assert.equal(await filename('/tools/disk', '/srv/é/:other'), '/srv/\xc3\xa9/:other')
  })

  for (const url of ['/tools/.git', '/tools/a..b', '/tools/a%5cb', '/tools/...']) {
    test(`refuses ${url}, which could climb`, () => assert.rejects(filename(url, '/srv/:tool'), hidden))
  }

  test('refuses a wildcard of several segments', () => {
    return assert.rejects(filename('/tools/a/b/c', '/srv/:rest'), hidden)
  })
})

describe('static files', () => {
  const given = { static: true, frontController: '/index.php' }
  for (const [url, outcome] of [
    ['/style.css', 'static /style.css by php'],
    ['//x/../style%2Ecss', 'static /style.css by php'],
    ['/none.css', '/index.php| by php'],
    ['/info.php', '/info.php| by php'],
    ['/.env', 'static /.env by php'],
    ['/style%2fcss', '/index.php| by php'],
  ] as const) {
    test(`for ${url}: ${outcome}`, async () => assert.equal(await resolve(url, given), outcome))
  }

  test('are read alone', async () => {
    assert.equal(await resolve('/style.css', given, { method: 'HEAD' }), 'static /style.css by php')
    assert.equal(await resolve('/style.css', given, { method: 'POST' }), 'pass')
  })
})

describe('links', () => {
  test('are followed out of the root', async () => {
    assert.equal(await resolve('/escape.php'), '/escape.php| by php')
  })

  test('that leave the root are not there with symlinks inside, and their source is refused', async () => {
    await assert.rejects(resolve('/escape.php', { symlinks: 'inside' }), hidden)
    assert.equal(
      await resolve('/escape.php', { symlinks: 'inside', frontController: '/index.php' }),
      '/index.php| by php',
    )
    assert.equal(await resolve('/info.php', { symlinks: 'inside' }), '/info.php| by php')
  })

  test('in the root itself are resolved on demand', async () => {
    tree.link('current', root)
    const location = phpLocation(`${tree.root}/current`, { resolveRoot: true, frontController: '/index.php' })
    for (const url of ['/info.php', '/pretty']) {
      const resolution = await new Resolver([location]).resolve(factsOf(url))
      assert.ok(resolution.kind === 'script')
      assert.equal(resolution.script.documentRoot, root)
      assert.match(resolution.script.scriptFilename, new RegExp(`^${root}/`))
    }
  })
})
