import { randomFillSync } from 'node:crypto';

const POOL_BYTES = 4096;

/**
 * Random bytes, few at a time: asked of the system by the page, as nonces are wanted by the thousand and each call costs
 * more than its bytes. None is given twice, and none is kept once it was given.
 */
export function fewRandom(): (bytes: number) => Buffer {
  let pool: Buffer = Buffer.alloc(0);
  return (bytes) => {
    if (bytes > POOL_BYTES) return randomFillSync(Buffer.alloc(bytes));
    if (pool.length < bytes) pool = randomFillSync(Buffer.alloc(POOL_BYTES));
    const given = Buffer.from(pool.subarray(0, bytes));
    pool.fill(0, 0, bytes);
    pool = pool.subarray(bytes);
    return given;
  };
}
