// The thread: one PHP, and a script whenever the program sends a request.
import { parentPort, threadId, workerData } from 'node:worker_threads'
import { ByteRing } from './byte-ring.ts'
import type { LockRequest } from './file-locks.ts'
import { importLoader } from './php-build.ts'
import { PhpInstance } from './php-instance.ts'
import { LOCK_ASKED, LOCK_GRANTED, type RunMessage, type ThreadMessage, type ThreadSetup } from './thread-messages.ts'

async function serve(): Promise<void> {
  const setup = workerData as ThreadSetup
  const stdout = new ByteRing(setup.stdout)
  const stderr = new ByteRing(setup.stderr)
  const wake = (): void => send({ type: 'output' })
  const php = await PhpInstance.start({
    loader: await importLoader(setup.packageUrl),
    module: setup.module,
    // Linux counts processes with 22 bits at most.
    processId: (process.pid << 8) | (threadId & 0xff),
    ini: setup.ini,
    output: { stdout: (bytes) => stdout.write(bytes, wake), stderr: (bytes) => stderr.write(bytes, wake) },
    lock: (request) => askForLock(new Int32Array(setup.lockAnswer), request),
  })
  parentPort?.on('message', async ({ request, body }: RunMessage) => {
    const exitStatus = await php.run(request, body)
    send({ type: 'end', exitStatus, memory: php.memory })
  })
  send({ type: 'ready' })
}

function send(message: ThreadMessage): void {
  parentPort?.postMessage(message)
}

/** A system call must not return before it has its answer: the thread stands still until the program has given it. */
function askForLock(answer: Int32Array, request: LockRequest): boolean {
  Atomics.store(answer, 0, LOCK_ASKED)
  send({ type: 'lock', request })
  Atomics.wait(answer, 0, LOCK_ASKED)
  return Atomics.load(answer, 0) === LOCK_GRANTED
}

// What fails here ends the thread, and the program has its error.
void serve()
