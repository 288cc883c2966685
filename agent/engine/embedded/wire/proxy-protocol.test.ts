import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeProxy, type ProxyRead, ProxyReader } from './proxy-protocol.ts';

/** Feeds pieces until there is an answer; the pieces behind it belong to `rest`, too. */
function read(pieces: readonly Buffer[]): ProxyRead {
  const reader = new ProxyReader();
  for (const [i, piece] of pieces.entries()) {
    const got = reader.push(piece);
    if (got.kind === 'header') return { ...got, rest: Buffer.concat([got.rest, ...pieces.slice(i + 1)]) };
    if (got.kind === 'bad') return got;
  }
  return { kind: 'more' };
}

function bad(bytes: Buffer | string): string {
  const got = read([Buffer.from(bytes as string, 'latin1')]);
  return got.kind === 'bad' ? got.why : got.kind;
}

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');
const SIGNATURE = '0d0a0d0a000d0a515549540a';
const HELLO = hex('16 03 01 02 00 01 00 01 fc 03 03');
const FOUR = {
  source: { address: '203.0.113.7', port: 51_234 },
  destination: { address: '192.0.2.1', port: 443 },
};
const SIX = {
  source: { address: '2001:db8::7', port: 1 },
  destination: { address: '2001:db8:0:1::', port: 65_535 },
};

const GOOD = [
  [
    'v1, IPv4',
    Buffer.from('PROXY TCP4 203.0.113.7 192.0.2.1 51234 443\r\n'),
    { version: 1, kind: 'proxied', ...FOUR },
  ],
  [
    'v1, IPv6',
    Buffer.from('PROXY TCP6 2001:db8::7 2001:db8:0:1:: 1 65535\r\n'),
    { version: 1, kind: 'proxied', ...SIX },
  ],
  ['v1, unknown', Buffer.from('PROXY UNKNOWN\r\n'), { version: 1, kind: 'own' }],
  ['v1, unknown with words', Buffer.from('PROXY UNKNOWN ffff:: ::1 1 2\r\n'), { version: 1, kind: 'own' }],
  [
    'v2, IPv4',
    hex(`${SIGNATURE} 21 11 000c cb007107 c0000201 c822 01bb`),
    { version: 2, kind: 'proxied', ...FOUR },
  ],
  [
    'v2, IPv6',
    hex(
      `${SIGNATURE} 21 21 0024 20010db8000000000000000000000007 20010db8000000010000000000000000 0001 ffff`,
    ),
    { version: 2, kind: 'proxied', ...SIX },
  ],
  [
    'v2 with TLVs',
    hex(`${SIGNATURE} 21 11 0014 cb007107 c0000201 c822 01bb 01 0002 6832 04 0000`),
    { version: 2, kind: 'proxied', ...FOUR },
  ],
  ['v2, local', hex(`${SIGNATURE} 20 00 0000`), { version: 2, kind: 'own' }],
  [
    'v2, local with addresses',
    hex(`${SIGNATURE} 20 11 000c cb007107 c0000201 c822 01bb`),
    { version: 2, kind: 'own' },
  ],
  [
    'v2, unix',
    Buffer.concat([hex(`${SIGNATURE} 21 31 00d8`), Buffer.alloc(216)]),
    { version: 2, kind: 'own' },
  ],
  ['v2, unspecified, something in it', hex(`${SIGNATURE} 21 00 0003 aabbcc`), { version: 2, kind: 'own' }],
] as const;

describe('a PROXY header', () => {
  it.each(GOOD)(
    '%s: is read wherever it is cut, and what is glued to it is handed back',
    (_what, bytes, header) => {
      const all = Buffer.concat([bytes, HELLO]);
      for (let at = 0; at <= all.length; at++)
        expect(read([all.subarray(0, at), all.subarray(at)])).toEqual({
          kind: 'header',
          header,
          rest: HELLO,
        });
      expect(read([...all].map((b) => Buffer.from([b])))).toEqual({ kind: 'header', header, rest: HELLO });
      for (let n = 0; n < bytes.length; n++) expect(read([bytes.subarray(0, n)])).toEqual({ kind: 'more' });
    },
  );

  it('is followed by nothing of this reader', () => {
    const reader = new ProxyReader();
    expect(reader.push(Buffer.from('PROXY UNKNOWN\r\n')).kind).toBe('header');
    expect(reader.push(HELLO)).toEqual({ kind: 'bad', why: 'the PROXY header is over' });
  });

  it.each([
    ['no header', HELLO, 'the connection does not begin with a PROXY header'],
    ['a request', 'GET / HTTP/1.1\r\n', 'the connection does not begin with a PROXY header'],
    ['one like it', 'PROXX', 'the connection does not begin with a PROXY header'],
    ['a line without end', `PROXY TCP4 ${'1'.repeat(200)}`, 'the PROXY line is longer than 107 bytes'],
    ['LF alone', 'PROXY UNKNOWN\n', 'the PROXY line does not end with CR LF'],
    ['another family', 'PROXY UDP4 1.1.1.1 1.1.1.1 1 1\r\n', 'the PROXY line is not of its form'],
    ['a word too many', 'PROXY TCP4 1.1.1.1 1.1.1.1 1 1 1\r\n', 'the PROXY line is not of its form'],
    ['a word too few', 'PROXY TCP4 1.1.1.1 1.1.1.1 1\r\n', 'the PROXY line is not of its form'],
    ['the other family', 'PROXY TCP4 ::1 ::1 1 1\r\n', 'the PROXY line has no TCP4 addresses'],
    ['a zone', 'PROXY TCP6 fe80::1%lo ::1 1 1\r\n', 'the PROXY line has no TCP6 addresses'],
    ['a port too high', 'PROXY TCP4 1.1.1.1 1.1.1.1 65536 1\r\n', 'the PROXY line has no ports'],
    ['a port like 01', 'PROXY TCP4 1.1.1.1 1.1.1.1 01 1\r\n', 'the PROXY line has no ports'],
    ['version 3', hex(`${SIGNATURE} 31 11 0000`), 'the PROXY header is of version 3'],
    ['command 2', hex(`${SIGNATURE} 22 11 0000`), 'the PROXY header has command 2'],
    ['family 4', hex(`${SIGNATURE} 21 41 0000`), 'the PROXY header has family 4, transport 1'],
    ['short', hex(`${SIGNATURE} 21 11 0002 0000`), 'the PROXY header is too short for its addresses'],
    ['long', hex(`${SIGNATURE} 21 11 1001`), 'the PROXY header has 4097 bytes, more than 4096'],
    [
      'half a TLV',
      hex(`${SIGNATURE} 21 11 000e 01010101 01010101 0001 0001 0100`),
      'the PROXY header ends within a TLV',
    ],
    [
      'a TLV longer than the rest',
      hex(`${SIGNATURE} 21 11 0010 01010101 01010101 0001 0001 010002aa`),
      'the PROXY header ends within a TLV',
    ],
    [
      'a wrong checksum',
      hex(`${SIGNATURE} 21 11 0013 01010101 01010101 0001 0001 03 0004 00000001`),
      'the PROXY header does not fit its checksum',
    ],
  ])('is refused: %s', (_what, bytes, why) => {
    expect(bad(bytes)).toBe(why);
  });

  it('fits its checksum when the sender made it over the header with the checksum blank', () => {
    // CRC-32C of "123456789" is e3069283: the same function over a header of ours.
    const header = hex(`${SIGNATURE} 21 11 0013 01010101 01010101 0001 0001 03 0004 00000000`);
    let crc = 0xffffffff;
    for (const byte of header) {
      crc ^= byte;
      for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
    }
    header.writeUInt32BE(~crc >>> 0, header.length - 4);
    expect(read([header]).kind).toBe('header');
  });

  it('of any bytes is refused, read or waited for, and never kept beyond its bounds', () => {
    const starts = fc.constantFrom(
      '',
      'PROXY ',
      'PROXY TCP4 ',
      `${Buffer.from(SIGNATURE, 'hex').toString('latin1')}!`,
    );
    fc.assert(
      fc.property(starts, fc.uint8Array({ maxLength: 200 }), (start, tail) => {
        const bytes = Buffer.concat([Buffer.from(start, 'latin1'), tail]);
        const whole = read([bytes]);
        expect(read([...bytes].map((b) => Buffer.from([b])))).toEqual(whole);
        if (bytes.length > 107 && whole.kind === 'more') expect(bytes[0]).toBe(0x0d);
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('writing one', () => {
  const ip = fc.oneof(fc.ipV4(), fc.ipV6());
  const port = fc.nat({ max: 65_535 });
  it('is read back as what was said', () => {
    fc.assert(
      fc.property(fc.constantFrom(1 as const, 2 as const), ip, port, ip, port, (version, a, ap, b, bp) => {
        const bytes = encodeProxy(version, { address: a, port: ap }, { address: b, port: bp });
        const got = read([bytes]);
        if (got.kind !== 'header' || got.header.kind !== 'proxied') throw new Error(JSON.stringify(got));
        expect([got.header.source.port, got.header.destination.port]).toEqual([ap, bp]);
        // Said again it is the same header: the addresses lost nothing.
        expect(encodeProxy(version, got.header.source, got.header.destination)).toEqual(bytes);
      }),
    );
  });

  it.each([
    [1, '::ffff:203.0.113.7', '192.0.2.1', 'PROXY TCP4 203.0.113.7 192.0.2.1 1 2\r\n'],
    [1, '2001:db8:0:0:1:0:0:1', '2001:0db8::', 'PROXY TCP6 2001:db8::1:0:0:1 2001:db8:: 1 2\r\n'],
    [1, '::1', '192.0.2.1', 'PROXY TCP6 ::1 ::ffff:c000:201 1 2\r\n'],
    [1, 'fe80::1%eth0', '::', 'PROXY TCP6 fe80::1 :: 1 2\r\n'],
    [1, '/run/a.sock', '192.0.2.1', 'PROXY UNKNOWN\r\n'],
  ] as const)('v%i from %s to %s', (version, a, b, line) => {
    expect(encodeProxy(version, { address: a, port: 1 }, { address: b, port: 2 }).toString()).toBe(line);
  });

  it('in version 2 has the bytes of the specification', () => {
    expect(encodeProxy(2, FOUR.source, FOUR.destination)).toEqual(GOOD[4][1]);
    expect(encodeProxy(2, SIX.source, SIX.destination)).toEqual(GOOD[5][1]);
    expect(encodeProxy(2, { address: '', port: 0 }, FOUR.destination)).toEqual(GOOD[7][1]);
  });
});
