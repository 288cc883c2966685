import { chmod, lstat, mkdir, unlink } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import path from 'node:path';
import { AppError } from '../../../proto/vocab/errors.ts';

/** Whether somebody accepts there. Anything but a clear "nobody" counts as somebody. */
function answers(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(socketPath);
    const done = (yes: boolean): void => {
      socket.destroy();
      resolve(yes);
    };
    socket.setTimeout(2000, () => done(true));
    socket.once('connect', () => done(true));
    socket.once('error', (error: NodeJS.ErrnoException) =>
      done(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT'),
    );
  });
}

/**
 * Listens on a unix socket, mode 0660, in a directory made 0750 when it is missing. A socket left behind by a dead
 * process is removed, one that somebody answers on is not.
 * @throws AppError `precondition`
 */
export async function listenLocal(socketPath: string, onSocket: (socket: Socket) => void): Promise<Server> {
  await mkdir(path.dirname(socketPath), { recursive: true, mode: 0o750 });
  const there = await lstat(socketPath).catch(() => null);
  if (there && !there.isSocket()) {
    throw new AppError('precondition', `${socketPath} is there and is not a socket; move it away`);
  }
  if (there) {
    if (await answers(socketPath)) {
      throw new AppError('precondition', `another master answers at ${socketPath}; stop it first`);
    }
    await unlink(socketPath);
  }
  const server = createServer(onSocket);
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) =>
      reject(
        new AppError('precondition', `cannot listen at ${socketPath}: ${error.message}`, { cause: error }),
      ),
    );
    server.listen(socketPath, resolve);
  });
  server.removeAllListeners('error');
  await chmod(socketPath, 0o660);
  return server;
}
