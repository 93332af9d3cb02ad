import type { IncomingHttpHeaders } from 'node:http'

/** A client certificate that the TLS layer has verified, in mod_ssl's notation. Unicode text, not yet bytes. */
export interface ClientCertificate {
  /** RFC 2253, most specific part first. */
  readonly subject: string
  /** RFC 2253, most specific part first. */
  readonly issuer: string
  readonly commonName: string | undefined
  /** Hexadecimal, upper case. */
  readonly serial: string
  /** As `Feb  1 00:00:00 2026 GMT`. */
  readonly validFrom: string
  readonly validTo: string
}

/** What the TLS connection of a request says. */
export interface TlsFacts {
  /** As `TLSv1.3`. */
  readonly protocol: string
  /** OpenSSL's name of the cipher suite. */
  readonly cipher: string
  /** Undefined unless the client sent a certificate and it was verified. */
  readonly client: ClientCertificate | undefined
}

/**
 * What a request says, as data; made by http/request-facts from Node's `req`. Texts that came from the wire are byte
 * strings: one character a byte (latin1), as Node gives headers and `req.url`.
 */
export interface RequestFacts {
  readonly method: string
  /** REQUEST_URI: path and query as the client wrote them, without a scheme, authority or fragment. */
  readonly target: string
  /** Percent-encoded, inside the mount, begins with `/`; or `*` (RFC 9112 section 3.2.4). */
  readonly path: string
  /** Without `?`, may be empty. */
  readonly query: string
  /** Percent-encoded, empty or without a slash at the end: `/sub`. */
  readonly mount: string
  /** The client wrote the mount itself without a slash, so that the path `/` was made up by Express or Connect. */
  readonly atMount: boolean
  /** As `HTTP/1.1`. */
  readonly protocol: string
  readonly scheme: 'http' | 'https'
  /** HTTP_HOST: the authority of an absolute-form target, else `:authority`, else Host (RFC 9112 section 3.2.2). */
  readonly host: string | undefined
  /** Lower case, without a port. */
  readonly serverName: string
  readonly serverPort: string
  /** Empty where the server listens on a unix socket. */
  readonly serverAddress: string
  /** Empty where the client came through a unix socket. */
  readonly remoteAddress: string
  /** Empty when the client is known from X-Forwarded-For. */
  readonly remotePort: string
  /** `req.headers` itself, so that what earlier middleware removed or set counts. */
  readonly headers: IncomingHttpHeaders
  readonly tls: TlsFacts | undefined
}
