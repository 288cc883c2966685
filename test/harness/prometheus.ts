import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { freePorts } from '../../scripts/demo/ports.ts';
import { Running } from './running.ts';

export interface Series {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [at: number, value: string];
}
interface Target {
  readonly labels: Readonly<Record<string, string>>;
  readonly health: string;
  readonly lastError: string;
}

/** Debian's Prometheus as a process, and what it answers. */
export class Prometheus {
  readonly #dir: string;
  readonly #api: string;
  readonly #process: Running;

  private constructor(dir: string, port: number, process: Running) {
    this.#dir = dir;
    this.#api = `http://127.0.0.1:${port}/api/v1`;
    this.#process = process;
  }

  /** Once it serves. @param settings YAML, which promtool has to accept */
  static async start(settings: string): Promise<Prometheus> {
    const [port = 0] = await freePorts(1);
    const dir = await mkdtemp(path.join(tmpdir(), 'aicdn-prometheus-'));
    const file = path.join(dir, 'prometheus.yml');
    await writeFile(file, settings);
    execFileSync('promtool', ['check', 'config', file]);
    const process = new Running('prometheus', [
      `--config.file=${file}`,
      `--storage.tsdb.path=${path.join(dir, 'tsdb')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ]);
    const made = new Prometheus(dir, port, process);
    await process.wrote(/Server is ready to receive web requests/);
    return made;
  }

  /** An instant vector. @throws what it says of the expression */
  async query(expression: string): Promise<readonly Series[]> {
    const answer = await fetch(`${this.#api}/query?query=${encodeURIComponent(expression)}`);
    const { data, error } = (await answer.json()) as { data?: { result: Series[] }; error?: string };
    if (!data) throw new Error(`${expression}: ${error}`);
    return data.result;
  }

  /** Of the first series; `NaN`: there is none. */
  async number(expression: string): Promise<number> {
    return numberOf(await this.query(expression));
  }

  async targets(): Promise<readonly Target[]> {
    const answer = await fetch(`${this.#api}/targets?state=active`);
    return ((await answer.json()) as { data: { activeTargets: Target[] } }).data.activeTargets;
  }

  /** Asked again until it holds: what is scraped, and when, is Prometheus's own affair. */
  async until<T>(ask: () => Promise<T>, holds: (value: T) => boolean): Promise<T> {
    for (;;) {
      const value = await ask();
      if (holds(value)) return value;
      if (this.#process.exited) throw new Error(this.#process.text);
      await new Promise((r) => setTimeout(r, 200));
    }
  }

  async stop(): Promise<void> {
    await this.#process.stop();
    await rm(this.#dir, { recursive: true, force: true });
  }
}

export const numberOf = (s: readonly Series[]): number => Number(s[0]?.value[1] ?? Number.NaN);
