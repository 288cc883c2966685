import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ExecaError, execa } from 'execa';
import { Running } from './running.ts';

const SOURCE = join(import.meta.dirname, '../peers');

export type Listening = Running & { readonly port: number };

interface Built {
  readonly binary: string;
  remove(): Promise<void>;
}

/** The Go program of `test/peers`, built once into a directory of its own. */
export interface GoPeer extends Built {
  /** Starts it and waits until it says where it listens. */
  start(...args: string[]): Promise<Listening>;
  /** The same by a command that takes another as its arguments, such as `ip netns exec NAME`. */
  startWithin(within: readonly string[], ...args: string[]): Promise<Listening>;
}

/**
 * Throws in words when Go is not there or its modules cannot be had.
 * @param what `.` is the peer of the tunnel, `./grpc` that of the agents' link
 */
export async function buildGo(what: '.' | './grpc'): Promise<Built> {
  const dir = await mkdtemp(join(tmpdir(), 'aicdn-peer-'));
  const binary = join(dir, 'peer');
  try {
    await execa('go', ['build', '-o', binary, what], {
      cwd: SOURCE,
      env: { GOTOOLCHAIN: 'local', CGO_ENABLED: '0' },
    });
  } catch (e) {
    await rm(dir, { recursive: true, force: true });
    if (!(e instanceof ExecaError)) throw e;
    const missing = e.code === 'ENOENT';
    throw new Error(missing ? 'go is not on PATH; apt-get install golang-go' : `test/peers: ${e.message}`);
  }
  return { binary, remove: () => rm(dir, { recursive: true, force: true }) };
}

/** @throws as `buildGo` */
export async function buildGoPeer(): Promise<GoPeer> {
  const { binary, remove } = await buildGo('.');
  const startWithin = async (within: readonly string[], ...args: string[]): Promise<Listening> => {
    const [program = '', ...words] = [...within, binary, ...args];
    const running = new Running(program, words);
    const port = Number(await running.wrote(/^listening \S*:(\d+)$/m));
    return Object.assign(running, { port });
  };
  return {
    binary,
    start: (...args) => startWithin([], ...args),
    startWithin,
    remove,
  };
}
