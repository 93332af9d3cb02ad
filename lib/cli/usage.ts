/** The command line is wrong: said in one line, exit code 2. */
export class UsageError extends Error {
  override readonly name: string = 'UsageError'
}

/** What `--help` prints. */
export const USAGE: string = `Usage:
  express-fastcgi check FILE
      Reads a configuration file, or a Monkey conf directory, and prints what it amounts to, or every mistake in it.

  express-fastcgi request [options] ADDRESS SCRIPT[?QUERY]
      Sends one FastCGI request. ADDRESS is host:port or the path of a unix socket, SCRIPT is a file as the backend knows it.
      The headers and the body go to stdout as the script sent them, its FCGI_STDERR to stderr.

      --method METHOD      default GET; POST with --body
      --body FILE          the request body; - reads stdin
      --param NAME=VALUE   sets a CGI variable, as often as needed; without a value: not sent
      --timeout TIME       500ms, 5s, 2m; default 1m

  express-fastcgi --help | --version

Exit codes: 0 done; 1 the file has mistakes, the request failed or the script ended with a status other than 0; 2 usage.
`
