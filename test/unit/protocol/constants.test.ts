import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as constants from '../../../lib/protocol/constants.ts'

describe('constants', () => {
  it('have the values of FastCGI 1.0 section 8', () => {
    assert.deepEqual(
      { ...constants },
      {
        FCGI_VERSION_1: 1,
        FCGI_HEADER_LEN: 8,
        FCGI_MAX_CONTENT_LEN: 65_535,
        FCGI_NULL_REQUEST_ID: 0,
        FCGI_BEGIN_REQUEST: 1,
        FCGI_ABORT_REQUEST: 2,
        FCGI_END_REQUEST: 3,
        FCGI_PARAMS: 4,
        FCGI_STDIN: 5,
        FCGI_STDOUT: 6,
        FCGI_STDERR: 7,
        FCGI_DATA: 8,
        FCGI_GET_VALUES: 9,
        FCGI_GET_VALUES_RESULT: 10,
        FCGI_UNKNOWN_TYPE: 11,
        FCGI_KEEP_CONN: 1,
        FCGI_RESPONDER: 1,
        FCGI_AUTHORIZER: 2,
        FCGI_FILTER: 3,
        FCGI_REQUEST_COMPLETE: 0,
        FCGI_CANT_MPX_CONN: 1,
        FCGI_OVERLOADED: 2,
        FCGI_UNKNOWN_ROLE: 3,
        FCGI_MAX_CONNS: 'FCGI_MAX_CONNS',
        FCGI_MAX_REQS: 'FCGI_MAX_REQS',
        FCGI_MPXS_CONNS: 'FCGI_MPXS_CONNS',
      },
    )
  })
})
