import { chmod, lstat, mkdir, unlink } from 'node:fs/promises';
import net from 'node:net';
import { dirname } from 'node:path';
import { AppError } from '../../../../proto/vocab/errors.ts';

// sun_path is 108 bytes on Linux and 104 on macOS, with a terminating zero.
const LONGEST = 103;

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = net.connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });
}

/** Makes the path free to listen on. A socket nobody answers on is left over from a crash and removed. */
async function claimSocketPath(path: string): Promise<void> {
  if (Buffer.byteLength(path) > LONGEST) {
    throw new AppError(
      'invalid',
      `${path}: a socket path has at most ${LONGEST} bytes; choose a shorter one`,
    );
  }
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const there = await lstat(path).catch(() => null);
  if (there === null) return;
  if (!there.isSocket()) {
    throw new AppError(
      'conflict',
      `${path} exists and is not a socket; remove it or choose another --socket`,
    );
  }
  if (await answers(path)) {
    throw new AppError(
      'conflict',
      `an engine is already running on ${path}; stop it or choose another --socket`,
    );
  }
  await unlink(path).catch(() => undefined);
}

export async function listenOnSocket(server: net.Server, path: string): Promise<void> {
  await claimSocketPath(path);
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) =>
      reject(new AppError('unavailable', `cannot listen on ${path}: ${cause.message}`, { cause })),
    );
    // Of this very process, also where that is a worker.
    server.listen({ path, exclusive: true }, resolve);
  });
  await chmod(path, 0o600);
}
