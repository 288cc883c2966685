import { describe, expect, it } from 'vitest';
import { placeOf } from './place.ts';

const TEXT = `services:
- name: a
  addr: ":443"
- name: b
  listener: {type: tls, tls: {certFile: c.pem}}
`;

describe('the place of a path', () => {
  it.each([
    ['services[0].addr', 3, 9],
    ['services[1].listener.tls.certFile', 5, 41],
    ['services[1].listener.tls.keyFile', 5, 30],
    ['services[1]', 4, 3],
    ['services[7].addr', 2, 1],
    ['', 1, 1],
  ])('%s is line %i, column %i', (path, line, column) => {
    expect(placeOf(TEXT, path)).toEqual({ line, column });
  });

  it('of what is no YAML is none', () => {
    expect(placeOf('a: [', 'a')).toBeNull();
  });
});
