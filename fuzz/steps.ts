/** What one end of a connection does, one after the other. Plain data, so that it can be written down and played again. */
export type Step =
  /** Latin1 characters. */
  | { readonly kind: 'send'; readonly bytes: string }
  /** In pieces of so many bytes, a turn of the event loop between two. */
  | { readonly kind: 'drip'; readonly bytes: string; readonly size: number }
  /** Milliseconds. */
  | { readonly kind: 'wait'; readonly time: number }
  /** Nothing is read for so many milliseconds. */
  | { readonly kind: 'deaf'; readonly time: number }
  /** Nothing more is sent, reading goes on. */
  | { readonly kind: 'half-close' }
  | { readonly kind: 'close' }
  | { readonly kind: 'reset' }

/** Whether the steps end with our leaving, so that no answer can be asked for. */
export function leaves(steps: readonly Step[]): boolean {
  return steps.some(({ kind }) => kind === 'close' || kind === 'reset' || kind === 'half-close')
}
