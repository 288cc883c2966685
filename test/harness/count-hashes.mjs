import crypto from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

// Put before a program with `--import`: each password hash that it computes is a byte in a file.

const { argon2 } = crypto;
crypto.argon2 = (...args) => {
  appendFileSync(process.env.COUNTED_HASHES, '.');
  return argon2(...args);
};
syncBuiltinESMExports();
