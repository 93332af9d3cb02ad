import { spawn } from 'node:child_process'

/** How a system opens a URL in the user's browser. */
function openerOf(platform: NodeJS.Platform, url: string): readonly [program: string, ...parameters: string[]] {
  if (platform === 'darwin') return ['open', url]
  // `start` is a word of the shell; this is what it calls.
  if (platform === 'win32') return ['rundll32.exe', 'url.dll,FileProtocolHandler', url]
  return ['xdg-open', url]
}

/** Opens a URL in the user's browser. A site without a browser is still a site: failing is a warning. */
export function openBrowser(url: string, warn: (message: string) => void): void {
  const [program, ...parameters] = openerOf(process.platform, url)
  const child = spawn(program, parameters, { stdio: 'ignore', detached: true })
  child.once('error', (error) => warn(`No browser was opened: ${error.message}`))
  child.once('exit', (code) => {
    if (code !== 0 && code !== null) warn(`No browser was opened: ${program} ended with ${code}`)
  })
  child.unref()
}
