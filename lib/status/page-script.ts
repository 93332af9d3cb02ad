/**
 * The page's only script: asks for the page again and again, and puts what is new in the place of what is old. What is hidden, or
 * being copied, is left alone. An answer that is no status page (a login's) is none.
 */
export const PAGE_SCRIPT = `
const interval = Number(document.body.dataset.interval)
let timer

function isCopied() {
  return !getSelection().isCollapsed
}

async function redraw() {
  try {
    const answer = await fetch(location.href, {
      headers: { Accept: 'text/html' }, cache: 'no-store', signal: AbortSignal.timeout(10_000 + interval),
    })
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html')
    const main = page.querySelector('main[data-status]')
    if (!answer.ok || main === null) throw new Error('no status page: ' + answer.status)
    // It may have been selected meanwhile.
    if (isCopied()) return
    document.querySelector('main').replaceWith(main)
    document.title = page.title
    document.body.classList.remove('lost')
  } catch {
    document.body.classList.add('lost')
  }
}

async function tick() {
  clearTimeout(timer)
  if (!document.hidden && !isCopied()) await redraw()
  timer = setTimeout(tick, interval)
}

document.addEventListener('visibilitychange', () => { if (!document.hidden) tick() })
timer = setTimeout(tick, interval)
`
