import { ControlWorker } from './control-worker.ts';
import { DataWorker } from './data-worker.ts';
import { FLUSH_MS, type ToWorker, type WorkerNeeds } from './messages.ts';

type Role =
  | { readonly at: 'none' }
  | { readonly at: 'data'; readonly data: DataWorker }
  | { readonly at: 'control'; readonly control: ControlWorker };

/** A forked process of the engine: says hello, and becomes what it is told. */
export class EngineWorker {
  readonly #needs: WorkerNeeds;
  #role: Role = { at: 'none' };

  constructor(needs: WorkerNeeds) {
    this.#needs = needs;
  }

  hello(): void {
    this.#needs.send({ t: 'hello', version: this.#needs.version, pings: true });
  }

  /** The primary is gone, or this process is about to: nothing half-carried may look whole. */
  cut(): void {
    if (this.#role.at === 'data') this.#role.data.cut();
  }

  heard(m: ToWorker): void {
    const role = this.#role;
    if (m.t === 'end') void this.#end();
    else if (m.t === 'ping') this.#needs.send({ t: 'pong' });
    else if (m.t === 'data') this.#role = { at: 'data', data: new DataWorker(m.dns ?? [], this.#needs) };
    else if (m.t === 'control')
      this.#role = { at: 'control', control: new ControlWorker(m.start, this.#needs) };
    else if (role.at === 'data') role.data.heard(m);
    else if (role.at === 'control') role.control.heard(m);
  }

  say(level: 'error', text: string): void {
    this.#needs.send({ t: 'line', level, text });
  }

  async #end(): Promise<void> {
    this.cut();
    if (this.#role.at === 'control') await this.#role.control.close();
    setTimeout(() => this.#needs.exit(0), FLUSH_MS);
  }
}
