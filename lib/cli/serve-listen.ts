import type { AddressInfo, Server } from 'node:net'

/** Where to listen. */
export interface ListenPlace {
  /** 0: any free one. */
  readonly port: number
  readonly host: string
}

/** Resolves with where a server listens. @throws Error that says why it cannot */
export async function listenOn(server: Server, place: ListenPlace): Promise<AddressInfo> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(new Error(explainFailure(error, place), { cause: error })))
    server.listen(place.port, place.host, resolve)
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error(`${place.host} is no address of TCP`)
  return address
}

function explainFailure(error: NodeJS.ErrnoException, { port, host }: ListenPlace): string {
  switch (error.code) {
    case 'EADDRINUSE':
      return `Port ${port} of ${host} is taken: end what listens there, or choose another with --port`
    case 'EACCES':
      return `Port ${port} needs rights that we do not have: choose one from 1024 on with --port`
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `${host} is no address of this machine: give one with --host, such as 127.0.0.1 or 0.0.0.0`
    default:
      return `Cannot listen on port ${port} of ${host}: ${error.message}`
  }
}

/** Whether only this machine can connect there. */
export function isLoopback(address: string): boolean {
  return address === '::1' || /^(?:::ffff:)?127\./.test(address)
}
