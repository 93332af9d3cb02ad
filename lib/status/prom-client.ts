import type { MetricsRegistry } from './exporter.ts'

/** The optional peer dependency that writes Prometheus's text. */
const PACKAGE = 'prom-client'

interface PromClient {
  readonly Registry: new () => MetricsRegistry
}

/** A registry of our own; null: prom-client is not installed. Never prom-client's global one. */
export async function createRegistry(): Promise<MetricsRegistry | null> {
  try {
    // The name stands in a variable: types and bundlers are not to look for what may be missing.
    const { Registry } = (await import(PACKAGE)) as PromClient
    return new Registry()
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ERR_MODULE_NOT_FOUND') return null
    throw error
  }
}
