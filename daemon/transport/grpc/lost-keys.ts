import { AppError } from '../../../proto/vocab/errors.ts';

// The generated code reads a map into an object by assignment, where a key `__proto__` leaves nothing behind: a target of
// one such label would be read as everybody.

/** A map's entry of this key on the wire: its field 1, nine bytes. In a text it would need a tab before it. */
const ENTRY = Buffer.from('\n\t__proto__');

const losing = new WeakSet<object>();

/** Reads as `read` does, and remembers what has lost a key by it. */
export function remembering<Q extends object>(read: (bytes: Buffer) => Q): (bytes: Buffer) => Q {
  return (bytes) => {
    const request = read(bytes);
    if (bytes.includes(ENTRY)) losing.add(request);
    return request;
  };
}

/** @throws AppError `invalid` when the request says less than what was sent */
export function whole(request: object): void {
  if (losing.has(request)) throw new AppError('invalid', 'a key __proto__ has no place here');
}
