/** What the gateway tells its supervisor. */
export type SupervisorOrder =
  | {
      readonly kind: 'start'
      readonly program: string
      readonly parameters: readonly string[]
      readonly environment: Readonly<Record<string, string | undefined>>
      /** Processes of the same kind. */
      readonly count: number
      /** They get the listening socket as file descriptor 0 (FastCGI 1.0 section 2.2). */
      readonly inheritSocket: boolean
      /** Removed when the gateway is gone and cannot do it any more. */
      readonly directory: string
    }
  | { readonly kind: 'stop'; readonly signal: NodeJS.Signals }

/** What a supervisor tells the gateway. */
export type SupervisorReport =
  | { readonly kind: 'restarting'; readonly ending: string; readonly pause: number }
  | { readonly kind: 'gave up'; readonly ending: string }
