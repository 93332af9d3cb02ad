import { createRequire } from 'node:module'
import { privateDirectory } from './private-directory.ts'
import { pathOf } from './require-backend.ts'

/** As much of playwright's page as the tests use. Its own types need those of a browser, which the other code must not see. */
export interface BrowserPage {
  goto(url: string): Promise<{ status(): number } | null>
  reload(): Promise<unknown>
  title(): Promise<string>
  url(): string
  fill(selector: string, text: string): Promise<void>
  click(selector: string): Promise<void>
  textContent(selector: string): Promise<string | null>
  setInputFiles(
    selector: string,
    file: { readonly name: string; readonly mimeType: string; readonly buffer: Buffer },
  ): Promise<void>
  waitForSelector(selector: string): Promise<unknown>
  /** Waits until an expression in the page is true. */
  waitForFunction(expression: string): Promise<unknown>
  /** The value of an expression in the page. */
  evaluate(expression: string): Promise<unknown>
  screenshot(options: { readonly path: string; readonly fullPage?: boolean }): Promise<unknown>
  close(): Promise<void>
}

interface Events extends BrowserPage {
  on(event: 'console', listener: (message: { type(): string; text(): string }) => void): unknown
  on(event: 'pageerror', listener: (error: Error) => void): unknown
  on(event: 'requestfailed', listener: (request: { url(): string }) => void): unknown
}

interface Playwright {
  readonly chromium: {
    launchPersistentContext(
      directory: string,
      options: {
        readonly executablePath: string
        readonly args: readonly string[]
        readonly env: Readonly<Record<string, string | undefined>>
        readonly viewport: { readonly width: number; readonly height: number }
      },
    ): Promise<{ newPage(): Promise<Events>; close(): Promise<void> }>
  }
}

/** A page, and what was heard of it. */
export interface WatchedPage {
  readonly page: BrowserPage
  /** Everything on the console. */
  readonly messages: readonly string[]
  /** Errors on the console, exceptions, requests that failed. */
  readonly failures: readonly string[]
}

/** A Chromium of our own with a new profile. */
export interface Chromium {
  open(): Promise<WatchedPage>
  close(): Promise<void>
}

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** Starts Debian's Chromium, headless. */
export async function startChromium(): Promise<Chromium> {
  const { chromium } = createRequire(import.meta.url)('playwright-core') as Playwright
  const directory = privateDirectory('chromium')
  const context = await chromium.launchPersistentContext(directory.path, {
    executablePath: pathOf('chromium'),
    args: FLAGS,
    env: { ...process.env, HOME: directory.path },
    viewport: { width: 1000, height: 800 },
  })
  return {
    async open() {
      const page = await context.newPage()
      const messages: string[] = []
      const failures: string[] = []
      page.on('console', (message) => {
        messages.push(message.text())
        if (message.type() === 'error') failures.push(message.text())
      })
      page.on('pageerror', (error) => failures.push(String(error)))
      page.on('requestfailed', (request) => failures.push(`${request.url()} failed`))
      return { page, messages, failures }
    },
    async close() {
      await context.close()
      directory.remove()
    },
  }
}
