/** What we use of the Emscripten program that PHP is. */
export interface EmscriptenPhp {
  /** Its memory; another array after it has grown. */
  readonly HEAPU8: Uint8Array<ArrayBuffer>
  readonly FS: EmscriptenFiles
  malloc(length: number): number
  free(pointer: number): void
  ccall(name: string, result: 'number' | null, types: readonly 'number'[], values: readonly number[]): number
  ccall(
    name: string,
    result: 'number',
    types: readonly 'number'[],
    values: readonly number[],
    options: { readonly async: true },
  ): number | Promise<number>
  onHeaders?: (bytes: Uint8Array) => void
  onStdout?: (bytes: Uint8Array) => void
  onStderr?: (bytes: Uint8Array) => void
}

/** Its file system. */
export interface EmscriptenFiles {
  readonly filesystems: { readonly NODEFS: unknown }
  readonly ErrnoError: new (errno: number) => Error
  mkdirTree(path: string): void
  writeFile(path: string, text: string): void
  symlink(target: string, path: string): void
  mount(type: unknown, options: { readonly root: string }, path: string): void
  chdir(path: string): void
}

/** An open file; `nfd` is Node's descriptor where it is a file of the machine. */
export interface EmscriptenStream {
  readonly nfd?: number
}

/** What the program hands to `bindUserSpace`. */
export interface UserSpaceContext {
  readonly wasmImports: {
    builtin_fcntl64(fd: number, command: number, varargs: number): number
    builtin_fd_close(fd: number): number
  }
  readonly FS: { getStream(fd: number): EmscriptenStream | null | undefined }
}

/** System calls that we answer ourselves. */
export interface UserSpace {
  fcntl64(fd: number, command: number, varargs: number): number
  flock(fd: number, operation: number): number
  fd_close(fd: number): number
  js_release_file_locks(): void
}

/** Error numbers of WASI, which musl has here. */
export const EAGAIN: number = 6
export const EINVAL: number = 28
export const EIO: number = 29
