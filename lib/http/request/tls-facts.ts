import type { X509Certificate } from 'node:crypto'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { ClientCertificate, TlsFacts } from '../../cgi/facts.ts'

/** The handshake is over before the first request, so what it settled is asked for once a connection. */
const known = new WeakMap<TLSSocket, TlsFacts>()

/** What the TLS connection under a request says; undefined for any other socket. */
export function tlsFacts(socket: Socket | undefined): TlsFacts | undefined {
  if (socket === undefined || !isTls(socket)) return undefined
  let facts = known.get(socket)
  if (facts === undefined) {
    facts = askSocket(socket)
    known.set(socket, facts)
  }
  return facts
}

function isTls(socket: Socket): socket is TLSSocket {
  return 'getPeerX509Certificate' in socket
}

function askSocket(socket: TLSSocket): TlsFacts {
  const certificate = socket.authorized ? socket.getPeerX509Certificate() : undefined
  return {
    protocol: socket.getProtocol() ?? '',
    cipher: socket.getCipher()?.name ?? '',
    client: certificate === undefined ? undefined : describe(certificate),
  }
}

function describe(certificate: X509Certificate): ClientCertificate {
  const { subject } = certificate
  return {
    subject: distinguishedName(subject),
    issuer: distinguishedName(certificate.issuer),
    commonName: /^CN=(.*)$/m.exec(subject)?.[1]?.replace(/\\([^0-9A-Fa-f])/g, '$1'),
    serial: certificate.serialNumber,
    validFrom: certificate.validFrom,
    validTo: certificate.validTo,
  }
}

/** Node gives a part a line, already escaped as RFC 2253 wants it, the most specific part last. */
function distinguishedName(lines: string): string {
  return lines.split('\n').reverse().join(',')
}
