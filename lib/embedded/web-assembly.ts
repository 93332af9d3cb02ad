/** A compiled program; threads share it. */
export type WasmModule = object

/** What a program imports, by module and name. */
export type WasmImports = Readonly<Record<string, Readonly<Record<string, unknown>> | undefined>>

/** The part of WebAssembly that we use: its types come with those of browsers alone. */
export interface WasmApi {
  compile(bytes: Uint8Array): Promise<WasmModule>
  instantiate(module: WasmModule, imports: WasmImports): Promise<object>
}

/** Node's WebAssembly. */
export const wasm: WasmApi = (globalThis as unknown as { readonly WebAssembly: WasmApi }).WebAssembly
