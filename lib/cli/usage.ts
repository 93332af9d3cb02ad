/** The command line is wrong: said in one line, exit code 2. */
export class UsageError extends Error {
  override readonly name: string = 'UsageError'
}

/** What `--help` prints. */
export const USAGE: string = `Usage:
  express-fastcgi serve [options] [ROOT]
      Serves PHP and static files under ROOT, default the working directory. Takes the first PHP that there is: php-fpm, php-cgi,
      the embedded PHP. A line of log for each request; what PHP writes to STDERR stands beside it. Ctrl-C lets running requests finish.

      --port PORT          default 8080; 0: any free one
      --host HOST          default 127.0.0.1: this machine alone
      --front-controller /index.php
                           the script for paths that are no file
      --config FILE        the servers and locations of a configuration file; SIGHUP reloads it where the input is no terminal
      --watch              reloads the file of --config when it, or a file that it includes, changes
      --server ADDRESS     a FastCGI application that runs already: host:port or the path of a unix socket
      --php PATH           this php-fpm or php-cgi, or embedded
      --workers N          Node processes that share the port; default 1
      --open               opens the browser

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

Exit codes: 0 done; 1 the file has mistakes, the site cannot be served, the request failed or the script ended with a status other
than 0; 2 usage.
`
