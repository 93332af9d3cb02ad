import { EventEmitter } from 'node:events'
import { userInfo } from 'node:os'
import { EIO, type EmscriptenPhp, type UserSpaceContext } from './emscripten.ts'
import type { LockRequest } from './file-locks.ts'
import { LockingCalls } from './locking-calls.ts'
import { mountMachine } from './machine-folders.ts'
import type { PhpLoader } from './php-build.ts'
import { PhpHead } from './php-head.ts'
import type { PhpRequest } from './php-request.ts'
import { type WasmImports, type WasmModule, wasm } from './web-assembly.ts'

/** Where PHP's output goes; false: nobody wants it any more, and the script is told so at its next write. */
export interface PhpOutput {
  stdout(bytes: Uint8Array): boolean
  stderr(bytes: Uint8Array): boolean
}

/** What a PHP is made of. */
export interface PhpInstanceSettings {
  readonly loader: PhpLoader
  readonly module: WasmModule
  /** What getmypid() says, which scripts take for unique. */
  readonly processId: number
  /** The text of php.ini. */
  readonly ini: string
  readonly output: PhpOutput
  /** Asks for a file lock and waits for the answer. */
  readonly lock: (request: LockRequest) => boolean
}

/** Bytes beyond which its memory does not grow; what PHP asks for then fails as memory_limit does. */
const MAX_MEMORY = 1024 * 1024 * 1024

const INI_FILE = '/internal/shared/php.ini'

/** An honest name: fpm-fcgi would promise functions that are not there. */
const SAPI_NAME = 'cgi-fcgi'

/** One PHP: one request at a time, any number of them. */
export class PhpInstance {
  readonly #php: EmscriptenPhp
  readonly #locking: LockingCalls

  private constructor(php: EmscriptenPhp, locking: LockingCalls) {
    this.#php = php
    this.#locking = locking
  }

  static async start(settings: PhpInstanceSettings): Promise<PhpInstance> {
    const { php, locking } = await initialise(settings)
    mountMachine(php.FS)
    php.FS.writeFile(INI_FILE, settings.ini)
    listen(php, settings.output)
    const instance = new PhpInstance(php, locking)
    instance.#call('wasm_set_phpini_path', INI_FILE)
    instance.#call('wasm_set_sapi_name', SAPI_NAME)
    await php.ccall('php_wasm_init', 'number', [], [], { async: true })
    return instance
  }

  /** Bytes of memory, which never shrink. */
  get memory(): number {
    return this.#php.HEAPU8.length
  }

  /** Runs a script. Resolves with its exit status. */
  async run(request: PhpRequest, body: Uint8Array | null): Promise<number> {
    const php = this.#php
    php.FS.chdir(request.directory)
    this.#call('wasm_set_request_method', request.method)
    this.#call('wasm_set_query_string', request.query)
    this.#call('wasm_set_path_translated', Buffer.from(request.script).toString('latin1'))
    if (request.cookies !== null) this.#call('wasm_set_cookies', request.cookies)
    if (request.contentType !== null) this.#call('wasm_set_content_type', request.contentType)
    php.ccall('wasm_set_skip_shebang', null, ['number'], [1])
    for (const [name, value] of request.variables) this.#call('wasm_add_SERVER_entry', name, value)
    const content = body === null ? 0 : this.#setBody(body)
    try {
      return await php.ccall('wasm_sapi_handle_request', 'number', [], [], { async: true })
    } finally {
      if (content !== 0) php.free(content)
      this.#locking.forget()
    }
  }

  #setBody(body: Uint8Array): number {
    const content = this.#allocate(body.length)
    this.#php.HEAPU8.set(body, content)
    this.#php.ccall('wasm_set_request_body', null, ['number'], [content])
    this.#php.ccall('wasm_set_content_length', null, ['number'], [body.length])
    return content
  }

  /** Calls a function that copies its arguments, which are byte strings. */
  #call(name: string, ...values: readonly string[]): void {
    const pointers = values.map((value) => {
      const pointer = this.#allocate(value.length + 1)
      const memory = Buffer.from(this.#php.HEAPU8.buffer, pointer, value.length + 1)
      memory.write(value, 'latin1')
      memory[value.length] = 0
      return pointer
    })
    const types = pointers.map(() => 'number' as const)
    this.#php.ccall(name, null, types, pointers)
    for (const pointer of pointers) this.#php.free(pointer)
  }

  #allocate(length: number): number {
    const pointer = this.#php.malloc(length)
    if (pointer === 0) throw new RangeError(`PHP has no ${length} bytes of memory left`)
    return pointer
  }
}

/** Starts the program; its locks are ours. */
function initialise(settings: PhpInstanceSettings): Promise<{ php: EmscriptenPhp; locking: LockingCalls }> {
  return new Promise((resolve, reject) => {
    let locking: LockingCalls | null = null
    const options: object = {
      processId: settings.processId,
      noInitialRun: true,
      debug: false,
      locateFile: (path: string) => path,
      ENV: environment(),
      instantiateWasm(imports: WasmImports, receive: (instance: object, module: WasmModule) => void) {
        const { module } = settings
        wasm.instantiate(module, bounded(imports)).then((instance) => receive(instance, module), reject)
        return {}
      },
      bindUserSpace(context: UserSpaceContext) {
        locking = new LockingCalls(context, () => php, settings.lock)
        return locking
      },
      spawnProcess: endedProcess,
      onAbort: (reason: unknown) => reject(new Error(`PHP did not start: ${reason}`)),
      onRuntimeInitialized() {
        if (locking === null) reject(new TypeError('This build of PHP locks files in a way of its own'))
        else resolve({ php, locking })
      },
    }
    const php = settings.loader.init('NODE', options) as EmscriptenPhp
  })
}

/** Ours, as php-cgi has it, and nothing that Emscripten would invent. */
function environment(): object {
  const { username, homedir } = userInfo()
  const absent = { LOGNAME: undefined, PWD: undefined, LANG: undefined, _: undefined }
  const variables = { ...absent, USER: username, HOME: homedir, ...process.env }
  // The program would append a folder of its own.
  const path = { enumerable: true, get: () => process.env.PATH, set: () => undefined }
  return Object.defineProperty(variables, 'PATH', path)
}

/** The imports, with an end to the growth of the memory. */
function bounded(imports: WasmImports): WasmImports {
  const { env } = imports
  const grow = env?.emscripten_resize_heap
  if (typeof grow !== 'function') return imports
  const limited = (length: number): unknown => (length >>> 0 > MAX_MEMORY ? 0 : grow(length))
  return { ...imports, env: { ...env, emscripten_resize_heap: limited } }
}

/** There are no other programs in here: exec() and its like find `command not found`. */
function endedProcess(): EventEmitter {
  const streams = { stdout: new EventEmitter(), stderr: new EventEmitter(), stdin: new EventEmitter() }
  const child = Object.assign(new EventEmitter(), streams, { kill: () => false })
  setImmediate(() => {
    child.emit('spawn')
    child.emit('exit', 127)
    child.emit('close', 127)
  })
  return child
}

function listen(php: EmscriptenPhp, output: PhpOutput): void {
  const head = new PhpHead()
  const check = (wanted: boolean): void => {
    if (!wanted) throw new php.FS.ErrnoError(EIO)
  }
  php.onHeaders = (piece) => {
    const text = head.add(piece)
    if (text !== null) check(output.stdout(Buffer.from(text, 'latin1')))
  }
  php.onStdout = (bytes) => check(output.stdout(bytes))
  php.onStderr = (bytes) => check(output.stderr(bytes))
}
