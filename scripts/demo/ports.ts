import { once } from 'node:events';
import { mkdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';

// Below Linux's ephemeral range (32768 and up): a port from it may be an outgoing connection's by the time it is bound.
const LOWEST = 12_000;
const HIGHEST = 32_000;
const MOST_TRIES = 400;
/** A file a port, with the pid of whom it is given to: another process must not even try it while it is theirs. */
const CLAIMS = path.join(tmpdir(), 'aicdn-ports');

/** n different free TCP ports on loopback, all held until the last is known; no other process gets them while this one lives. */
export async function freePorts(n: number): Promise<number[]> {
  const held = new Map<number, Server>();
  for (let tries = 0; held.size < n; tries++) {
    if (tries > MOST_TRIES) throw new Error(`found only ${held.size} of ${n} free ports on loopback`);
    const port = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST));
    if (held.has(port) || !claim(port)) continue;
    const server = await hold(port);
    if (server) held.set(port, server);
  }
  await Promise.all([...held.values()].map((s) => new Promise((done) => s.close(done))));
  return [...held.keys()];
}

const claimed: string[] = [];
const giveBack = (): void => {
  for (const file of claimed) rmSync(file, { force: true });
  try {
    rmdirSync(CLAIMS);
  } catch {
    // Others have ports.
  }
};

function claim(port: number): boolean {
  const file = path.join(CLAIMS, `${port}`);
  for (const again of [true, false]) {
    try {
      mkdirSync(CLAIMS, { recursive: true });
      writeFileSync(file, `${process.pid}`, { flag: 'wx' });
      if (claimed.length === 0) process.once('exit', giveBack);
      claimed.push(file);
      return true;
    } catch (error) {
      // The last of the others has just taken the folder away.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') continue;
      // Of a process that is gone, it is nobody's.
      if (!again || isAlive(Number(readOrEmpty(file)))) return false;
      rmSync(file, { force: true });
    }
  }
  return false;
}

function readOrEmpty(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** One that is just being written names nobody yet: somebody's all the same. */
function isAlive(pid: number): boolean {
  if (!(pid > 0)) return true;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function hold(port: number): Promise<Server | null> {
  const server = createServer();
  try {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return server;
  } catch {
    return null;
  }
}
