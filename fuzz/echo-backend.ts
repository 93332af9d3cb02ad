import type { FakeRequest } from '../test/support/responder-connection.ts'
import type { Echo } from './canaries.ts'
import { startCleanFake } from './clean-fake.ts'

/** Something that answers FastCGI requests with an {@link Echo}. */
export interface EchoBackend {
  readonly address: string
  /** What the gateway did against the protocol, since the last time; null: nothing. */
  problem(): string | null
  stop(): Promise<void>
}

/** Answers as the scripts of the tree do, without PHP, and sees that the gateway keeps to the protocol. */
export async function startEcho(): Promise<EchoBackend> {
  const problems: string[] = []
  const fake = await startCleanFake((request) => echo(request, problems), { discardStdin: true })
  return {
    address: fake.address,
    problem() {
      problems.push(...fake.failures.splice(0).map(String))
      return problems.shift() ?? null
    },
    stop: () => fake.stop(),
  }
}

async function echo(request: FakeRequest, problems: string[]): Promise<void> {
  const complaint = complaintOf(request)
  if (complaint !== null) problems.push(complaint)
  await request.connection.until(() => request.stdinEnded || request.connection.closed)
  if (!request.stdinEnded) return
  const expected = Number(request.params.get('CONTENT_LENGTH') ?? 0)
  if (request.stdinLength !== expected)
    problems.push(`STDIN had ${request.stdinLength} bytes, CONTENT_LENGTH said ${expected}`)
  const answer: Echo = {
    fuzz: true,
    server: Object.fromEntries([...request.params].map(inUnicode)),
    ini: null,
    length: request.stdinLength,
  }
  const head = 'Content-Type: application/json\r\n\r\n'
  const body =
    request.params.get('REQUEST_METHOD') === 'HEAD' ? '' : Buffer.from(JSON.stringify(answer)).toString('latin1')
  await request.answer(head + body)
}

/** Names twice, also where PHP would fold them (php-fpm.md 1). */
function complaintOf({ pairs }: FakeRequest): string | null {
  const names = pairs.map(([name]) => name.replace(/[. [-]/g, '_').toUpperCase())
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  return twice === undefined ? null : `the parameter ${twice} came twice`
}

/** Parameters are bytes; JSON, as PHP writes it, is UTF-8. */
function inUnicode([name, value]: readonly [string, string]): readonly [string, string] {
  return [name, Buffer.from(value, 'latin1').toString('utf8')]
}
