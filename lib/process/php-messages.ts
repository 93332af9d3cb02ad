/** How php-fpm begins what a script has logged. */
const MESSAGE = /^PHP message: /

/**
 * php-fpm writes what a script logs twice: as FCGI_STDERR of the request that caused it, and on its own output. The second is
 * left out, with the lines that follow it at once.
 */
export class RepeatedMessages {
  #repeating = false

  /** Whether a line of php-fpm's output is such a repetition; asked once for each, in their order. */
  includes(line: string): boolean {
    if (MESSAGE.test(line)) {
      this.#repeating = true
      // The lines of one message come together.
      setImmediate(() => {
        this.#repeating = false
      })
    }
    return this.#repeating
  }
}
