import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildGoPeer, type GoPeer } from '../../harness/go-peer.ts';
import { createTestCa } from '../../harness/test-ca.ts';
import type { TlsFilePaths } from '../../harness/transports.ts';
import { descriptorLimit } from './figures.ts';
import type { Ground } from './peers.ts';

interface Stoppable {
  stop(): Promise<unknown>;
}

/** What has been started and written, to be taken away again. */
export class Stage {
  readonly dir: string;
  readonly #running: Stoppable[] = [];
  #go: GoPeer | null = null;
  #closed: Promise<void> | null = null;

  private constructor(dir: string) {
    this.dir = dir;
  }

  static async open(): Promise<Stage> {
    return new Stage(await mkdtemp(join(tmpdir(), 'aicdn-bench-')));
  }

  async build(): Promise<GoPeer> {
    this.#go = await buildGoPeer();
    return this.#go;
  }

  /** @throws Error once it is being taken away: what came too late is ended too. */
  add(...running: readonly Stoppable[]): void {
    this.#running.push(...running);
    if (this.#closed !== null) throw new Error('stopped');
  }

  get closing(): boolean {
    return this.#closed !== null;
  }

  /** The latest first: what stands on something goes before it. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    for (let r = this.#running.pop(); r !== undefined; r = this.#running.pop()) await r.stop();
    await this.#go?.remove();
    await rm(this.dir, { recursive: true, force: true });
  }
}

/** @throws Error when Go is not there: origin and clients are of Go. */
export async function prepare(stage: Stage, workers: number): Promise<Ground> {
  const { dir } = stage;
  const go = await stage.build();
  const ca = await createTestCa();
  const { cert, key } = await ca.issue('peer', { dns: 'peer.test' });
  const tls: TlsFilePaths = {
    certFile: join(dir, 'cert.pem'),
    keyFile: join(dir, 'key.pem'),
    caFile: join(dir, 'ca.pem'),
  };
  const certAndKey = join(dir, 'cert-and-key.pem');
  await writeFile(tls.certFile, cert);
  await writeFile(tls.keyFile, key, { mode: 0o600 });
  await writeFile(certAndKey, `${cert}\n${key}`, { mode: 0o600 });
  await writeFile(tls.caFile, ca.ca);
  const origins = [await startOrigin(go, stage)];
  return { dir, go, tls, certAndKey, origins, files: await descriptorLimit(), workers };
}

export async function startOrigin(go: GoPeer, stage: Stage): Promise<number> {
  const origin = await go.start('origin');
  stage.add(origin);
  return origin.port;
}
