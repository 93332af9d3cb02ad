import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { check } from '../../../lib/cli/check.ts'
import { locationKeys, serverKeys } from '../../../lib/options/schema.ts'

const folder = mkdtempSync(join(tmpdir(), 'express-fastcgi-check-'))
after(() => rmSync(folder, { recursive: true }))

function fileOf(text: string): string {
  const path = join(folder, 'a.conf')
  writeFileSync(path, text)
  return path
}

const SERVER = '[FASTCGI_SERVER]\n ServerName php\n ServerPath /run/php.sock\n'

describe('check', () => {
  it('prints every key of every server and location as it takes effect', () => {
    const { text, exitCode } = check(
      fileOf(`${SERVER}[FASTCGI_LOCATION]\n ServerNames php\n DocumentRoot /srv\n ReadTimeout 5s\n Param A b\n`),
    )
    assert.equal(exitCode, 0)
    const keys = [...Object.keys(serverKeys), ...Object.keys(locationKeys)].filter((key) => key !== 'name')
    for (const key of keys) assert.match(text, new RegExp(`^  ${key} +\\S`, 'm'))
    for (const line of [
      /^server php$/m,
      /^location location_0$/m,
      /^ {2}readTimeout +5000 ms$/m,
      /^ {2}root +\/srv$/m,
    ]) {
      assert.match(text, line)
    }
    assert.match(text, /^ {2}params +A=b$/m)
    assert.match(text, /^ {2}maxRequests +unlimited$/m)
    assert.doesNotMatch(text, /warning|undefined|\[object/)
  })

  it('warns of a backend that other machines may reach', () => {
    const server = SERVER.replace('ServerPath /run/php.sock', 'ServerAddr 192.0.2.7:9000')
    const { text, exitCode } = check(fileOf(`${server}[FASTCGI_LOCATION]\n ServerNames php\n DocumentRoot /srv\n`))
    assert.equal(exitCode, 0)
    assert.match(text, /^warning: The server "php" .*192\.0\.2\.7:9000, which is not loopback/m)
  })

  it('warns of servers that have one address', () => {
    const twin = SERVER.replace('ServerName php', 'ServerName twin')
    const { text, exitCode } = check(
      fileOf(`${SERVER}${twin}[FASTCGI_LOCATION]\n ServerNames php\n DocumentRoot /srv\n`),
    )
    assert.equal(exitCode, 0)
    assert.match(text, /^warning: The servers "php" and "twin" have the same address, \/run\/php\.sock/m)
  })

  it('prints all problems and fails', () => {
    const path = fileOf(`${SERVER} Weight 0\n[FASTCGI_LOCATION]\n ServerNames php\n KeepAlive yes\n`)
    const { text, exitCode } = check(path)
    assert.equal(exitCode, 1)
    assert.deepEqual(
      text
        .trimEnd()
        .split('\n')
        .map((line) => line.split(': ', 1)[0]),
      [`${path}:4`, `${path}:7`],
    )
  })

  it('prints a health check as a file has it, and who shares the connections', () => {
    const server = `${SERVER} HealthCheck interval=1s ping=/ping\n FailTimeout 1m\n`
    const shared = check(fileOf(`[FASTCGI]\n DocumentRoot /\n Workers 2\n${server}`)).text
    assert.match(shared, /^ {2}healthCheck +interval=1000ms timeout=2000ms ping=\/ping$/m)
    assert.match(shared, /^ {2}failTimeout +60000 ms$/m)
    assert.match(shared, /^workers +2$/m)
    assert.match(check(fileOf(`[FASTCGI]\n DocumentRoot /\n${SERVER}`)).text, /^workers +those of Node's cluster/m)
  })

  it('says that a PHP will be found where no server is given', () => {
    const { text, exitCode } = check(fileOf('[FASTCGI]\n DocumentRoot /\n'))
    assert.equal(exitCode, 0)
    assert.match(text, /^ {2}command +auto$/m)
  })

  it('prints warnings', () => {
    const { text, exitCode } = check(fileOf(`[FASTCGI]\n DocumentRoot /\n${SERVER} Multiplexing On\n`))
    assert.equal(exitCode, 0)
    assert.match(text, /^warning: .*a\.conf:6: Multiplexing/m)
  })

  it('warns of a missing DocumentRoot, which JavaScript may give', () => {
    const { text, exitCode } = check(fileOf(`${SERVER}[FASTCGI_LOCATION]\n ServerNames php\n`))
    assert.equal(exitCode, 0)
    assert.match(text, /^warning: .*a\.conf: a location has no DocumentRoot/m)
    assert.match(text, /^ {2}root +missing$/m)
  })

  it('names a file that is not there', () => {
    assert.deepEqual(
      [check('no/such.conf').exitCode, check('no/such.conf').text.startsWith('no/such.conf: ')],
      [1, true],
    )
  })
})
