/** The constants of the FastCGI 1.0 specification, section 8, in its spelling. */

export const FCGI_VERSION_1: number = 1

/** Bytes of a record header. */
export const FCGI_HEADER_LEN: number = 8

/** Most content bytes that one record can carry: the field has 16 bits. */
export const FCGI_MAX_CONTENT_LEN: number = 65_535

/** The request id of management records. */
export const FCGI_NULL_REQUEST_ID: number = 0

export const FCGI_BEGIN_REQUEST: number = 1
export const FCGI_ABORT_REQUEST: number = 2
export const FCGI_END_REQUEST: number = 3
export const FCGI_PARAMS: number = 4
export const FCGI_STDIN: number = 5
export const FCGI_STDOUT: number = 6
export const FCGI_STDERR: number = 7
export const FCGI_DATA: number = 8
export const FCGI_GET_VALUES: number = 9
export const FCGI_GET_VALUES_RESULT: number = 10
export const FCGI_UNKNOWN_TYPE: number = 11

/** Flag of BEGIN_REQUEST: the application leaves the connection open. */
export const FCGI_KEEP_CONN: number = 1

export const FCGI_RESPONDER: number = 1
export const FCGI_AUTHORIZER: number = 2
export const FCGI_FILTER: number = 3

export const FCGI_REQUEST_COMPLETE: number = 0
export const FCGI_CANT_MPX_CONN: number = 1
export const FCGI_OVERLOADED: number = 2
export const FCGI_UNKNOWN_ROLE: number = 3

/** Names of GET_VALUES. */
export const FCGI_MAX_CONNS: string = 'FCGI_MAX_CONNS'
export const FCGI_MAX_REQS: string = 'FCGI_MAX_REQS'
export const FCGI_MPXS_CONNS: string = 'FCGI_MPXS_CONNS'
