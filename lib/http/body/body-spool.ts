import { randomBytes } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import { open, unlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { FastCgiError } from '../../errors.ts'

/** Bytes of one read. */
const READ_SIZE = 64 * 1024

/** A temporary file that only this process can reach: of mode 0600, and without a name as soon as it is open. Must be closed. */
export class BodySpool {
  readonly #file: FileHandle
  readonly #readers = new Set<Readable>()
  #length = 0

  private constructor(file: FileHandle) {
    this.#file = file
  }

  static async create(): Promise<BodySpool> {
    const path = join(tmpdir(), `express-fastcgi-${randomBytes(16).toString('hex')}`)
    // `x`: never through a link or into a file that someone has put there.
    const file = await open(path, 'wx+', 0o600).catch(fail)
    try {
      await unlink(path)
    } catch (cause) {
      await file.close()
      return fail(cause)
    }
    return new BodySpool(file)
  }

  /** Bytes. */
  get length(): number {
    return this.#length
  }

  async append(chunk: Buffer): Promise<void> {
    for (let at = 0; at < chunk.length; ) {
      const { bytesWritten } = await this.#file.write(chunk, at, chunk.length - at, this.#length).catch(fail)
      at += bytesWritten
      this.#length += bytesWritten
    }
  }

  /** The whole of it, from the start, as often as asked. */
  open(): Readable {
    const reader = new SpoolReader(this.#file, this.#length)
    this.#readers.add(reader)
    reader.once('close', () => this.#readers.delete(reader))
    return reader
  }

  /** Gives the disk's room back, once a read under way is over. */
  close(): void {
    for (const reader of this.#readers) reader.destroy()
    // Of a file that has no name and is not used any more nothing can be lost.
    this.#file.close().catch(() => undefined)
  }
}

class SpoolReader extends Readable {
  readonly #file: FileHandle
  readonly #length: number
  #position = 0

  constructor(file: FileHandle, length: number) {
    super({ highWaterMark: READ_SIZE })
    this.#file = file
    this.#length = length
    // A disk may fail when nobody reads any more; that ends no process.
    this.on('error', ignore)
  }

  override _read(): void {
    const wanted = Math.min(READ_SIZE, this.#length - this.#position)
    if (wanted === 0) {
      this.push(null)
      return
    }
    this.#file.read(Buffer.allocUnsafe(wanted), 0, wanted, this.#position).then(
      ({ buffer, bytesRead }) => this.#give(buffer.subarray(0, bytesRead)),
      (cause: unknown) => this.destroy(localFile(cause)),
    )
  }

  #give(chunk: Buffer): void {
    if (chunk.length === 0) {
      this.destroy(localFile(new Error(`the file ends at ${this.#position} of ${this.#length} bytes`)))
      return
    }
    this.#position += chunk.length
    this.push(chunk)
  }
}

function ignore(): void {
  // Who reads has a listener of its own.
}

function fail(cause: unknown): never {
  throw localFile(cause)
}

function localFile(cause: unknown): FastCgiError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new FastCgiError('ERR_FCGI_LOCAL_FILE', {
    detail:
      `A request body could not be kept in a temporary file in ${tmpdir()}: ${reason}. Make room there, let TMPDIR name a folder` +
      ' that this process can write to, or lower bodyLimit',
    cause,
  })
}
