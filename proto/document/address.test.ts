import { describe, expect, it } from 'vitest';
import { collide, isHost, parseAddress } from './address.ts';

const listen = (text: string) => parseAddress(text, 'listen');

describe('parseAddress', () => {
  it.each([
    [':443', '', 443],
    ['0.0.0.0:1', '0.0.0.0', 1],
    ['[::]:65535', '::', 65_535],
    ['[2001:db8::1]:8443', '2001:db8::1', 8443],
    ['[::ffff:203.0.113.1]:80', '::ffff:203.0.113.1', 80],
    ['[1:2:3:4:5:6:7:8]:80', '1:2:3:4:5:6:7:8', 80],
    ['core_1.example.com.:80', 'core_1.example.com.', 80],
  ])('%s', (text, host, port) => {
    expect(listen(text)).toEqual({ host, port });
  });

  it.each([
    ['443', 'must be host:port'],
    ['', 'must be host:port'],
    ['a:', 'must be host:port'],
    ['a:-1', 'must be host:port'],
    ['a: 80', 'must be host:port'],
    ['tcp://a:80', 'must be host:port'],
    ['::1:80', 'an IPv6 address needs brackets'],
    ['a:0', 'port 0 is not in 1-65535'],
    ['a:99999', 'port 99999 is not in 1-65535'],
    ['[]:80', ' is not an IPv6 address'],
    ['[1:2:3:4:5:6:7]:80', '1:2:3:4:5:6:7 is not an IPv6 address'],
    ['[1::2::3]:80', '1::2::3 is not an IPv6 address'],
    ['[1:2:3:4:5:6:7:8::]:80', '1:2:3:4:5:6:7:8:: is not an IPv6 address'],
    ['[203.0.113.1]:80', '203.0.113.1 is not an IPv6 address'],
    ['[fe80::1%eth0]:80', 'fe80::1%eth0 is not an IPv6 address'],
    ['1.2.3:80', '1.2.3 is not an IPv4 address'],
    ['1.2.3.4.5:80', '1.2.3.4.5 is not an IPv4 address'],
    ['300.2.3.4:80', '300.2.3.4 is not an IPv4 address'],
    ['-a.example:80', '-a.example is not a host name'],
    ['a b:80', 'a b is not a host name'],
    ['a..b:80', 'a..b is not a host name'],
  ])('%j: %s', (text, wrong) => {
    expect(listen(text)).toBe(wrong);
  });

  it('an empty host listens, it cannot be dialled', () => {
    expect(parseAddress(':80', 'dial')).toBe('has no host');
  });
});

it.each([
  [':443', ':443', true],
  [':443', '127.0.0.1:443', true],
  ['[::]:443', '0.0.0.0:443', true],
  ['A.example:443', 'a.example:443', true],
  ['127.0.0.1:443', '127.0.0.2:443', false],
  [':443', ':444', false],
])('%s and %s collide: %s', (a, b, want) => {
  const [x, y] = [listen(a), listen(b)];
  expect(typeof x !== 'string' && typeof y !== 'string' && collide(x, y)).toBe(want);
});

it.each([
  ['core.internal', true],
  ['203.0.113.1', true],
  ['2001:db8::1', true],
  ['a b', false],
  ['1.2.3', false],
  ['', false],
])('isHost(%j) is %s', (text, want) => {
  expect(isHost(text)).toBe(want);
});
