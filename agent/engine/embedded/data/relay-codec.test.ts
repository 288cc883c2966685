import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeRequest, encodeResponse, parseRequest, parseResponse, RELAY_STATUS } from './relay-codec.ts';

const hex = (s: string): Buffer => Buffer.from(s.replaceAll(' ', ''), 'hex');
const vectors = [
  ['01 01 00 0a 02 00 07 01 7f 00 00 01 1f 40', { auth: null, target: { host: '127.0.0.1', port: 8000 } }],
  [
    '01 01 00 15 01 00 08 04 65 64 67 65 02 73 33 02 00 07 01 7f 00 00 01 1f 40',
    { auth: { username: 'edge', password: 's3' }, target: { host: '127.0.0.1', port: 8000 } },
  ],
  ['01 01 00 07 02 00 04 03 00 00 00', { auth: null, target: null }],
  [
    '01 01 00 10 02 00 0d 03 09 6c 6f 63 61 6c 68 6f 73 74 01 bb',
    { auth: null, target: { host: 'localhost', port: 443 } },
  ],
] as const;

describe('relay wire', () => {
  it.each(vectors)('%s', (bytes, request) => {
    expect(encodeRequest(request).toString('hex')).toBe(hex(bytes).toString('hex'));
    expect(parseRequest(Buffer.concat([hex(bytes), Buffer.from('rest')]))).toEqual({
      at: 'done',
      value: request,
      length: hex(bytes).length,
    });
    for (let cut = 0; cut < hex(bytes).length; cut++) {
      expect(parseRequest(hex(bytes).subarray(0, cut))).toEqual({ at: 'more' });
    }
  });

  it('writes and reads an IPv6 target', () => {
    const bytes = encodeRequest({ auth: null, target: { host: '2001:db8::1', port: 443 } });
    expect(bytes.toString('hex')).toBe('0101001602001304' + '20010db8000000000000000000000001' + '01bb');
    expect(parseRequest(bytes)).toMatchObject({
      value: { target: { host: '2001:db8:0:0:0:0:0:1', port: 443 } },
    });
  });

  it('answers OK in four bytes and skips features of a response', () => {
    expect(encodeResponse(RELAY_STATUS.ok).toString('hex')).toBe('01000000');
    expect(parseResponse(hex('01 05 00 00 aa'))).toEqual({ at: 'done', value: { status: 5 }, length: 4 });
    expect(parseResponse(hex('01 00 00 04 02 00 01 00'))).toMatchObject({ at: 'done', length: 8 });
    expect(parseResponse(hex('01 00 00'))).toEqual({ at: 'more' });
    expect(parseResponse(hex('48 54'))).toMatchObject({ at: 'bad' });
  });

  it.each([
    ['05', /version 5/],
    ['01 02', /command 2/],
    ['01 01 ff ff', /a header of 65539 bytes/],
    ['01 01 00 02 02 00', /cut short/],
    ['01 01 00 03 02 00 04', /longer than the header/],
    ['01 01 00 03 09 00 00', /feature 9/],
    ['01 01 00 05 01 00 02 05 41', /auth/],
    ['01 01 00 0a 02 00 07 07 7f 00 00 01 1f 40', /address/],
    ['01 01 00 09 02 00 06 03 02 0a 20 00 50', /address/],
  ])('refuses %s', (bytes, why) => {
    expect(parseRequest(hex(bytes))).toEqual({ at: 'bad', why: expect.stringMatching(why) });
  });

  it('gives every header that it writes back, and never throws on bytes', () => {
    const word = fc.stringMatching(/^[a-z0-9.-]{1,40}$/);
    const port = fc.integer({ min: 1, max: 65535 });
    fc.assert(
      fc.property(word, word, word, port, (username, password, name, p) => {
        const request = { auth: { username, password }, target: { host: `h${name}`, port: p } };
        const parsed = parseRequest(encodeRequest(request));
        expect(parsed).toMatchObject({ at: 'done', value: request });
      }),
      { numRuns: 200 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const header = Buffer.concat([Buffer.from([1, 1, 0, bytes.length]), bytes]);
        expect(['done', 'bad', 'more']).toContain(parseRequest(header).at);
        expect(['done', 'bad', 'more']).toContain(parseResponse(Buffer.from(bytes)).at);
      }),
      { numRuns: 2000 },
    );
  });
});
