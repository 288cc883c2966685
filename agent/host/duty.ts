import { AppError } from '../../proto/vocab/errors.ts';
import type { Millis } from '../../proto/vocab/ids.ts';
import type { DrainView, Standing } from '../../proto/vocab/node.ts';
import type { Log } from '../core/log.ts';
import { holding, standing } from '../core/standing.ts';
import type { Engine } from '../engine/port.ts';
import type { Told } from '../spool/standing.ts';

export interface DutyNeeds {
  readonly engine: Engine;
  readonly spool: { keep(told: Told): Promise<void> };
  readonly now: () => Millis;
  readonly log: Log;
}

/** What the node takes: stop, start, drain and undrain, and that it stays so whoever restarts. */
export class Duty {
  readonly #needs: DutyNeeds;
  #told: Told;
  #held: string | null = null;
  #trouble: string | null = null;

  constructor(told: Told, needs: DutyNeeds) {
    this.#told = told;
    this.#needs = needs;
  }

  get stopped(): boolean {
    return this.#told.stopped !== null;
  }

  /** `until`: what is left then is cut; `null`: never. @returns streams that go on */
  async stop(until: Millis | null): Promise<number> {
    await this.#tell({ ...this.#told, stopped: { until } });
    return this.#left(null);
  }

  async start(): Promise<void> {
    await this.#tell({ ...this.#told, stopped: null });
  }

  /** @throws AppError `not_found`: there is no such service */
  async drain(service: string | null, until: Millis): Promise<number> {
    const others = this.#told.drains.filter((d) => d.service !== service);
    await this.#tell({ ...this.#told, drains: [...others, { service, until }] });
    return this.#left(service);
  }

  /** `null`: every drain. @returns whether there was one */
  async undrain(service: string | null): Promise<boolean> {
    const drains = service === null ? [] : this.#told.drains.filter((d) => d.service !== service);
    const was = drains.length < this.#told.drains.length;
    if (was) await this.#tell({ ...this.#told, drains });
    return was;
  }

  async standing(): Promise<Standing> {
    const asked = this.#told.drains.length > 0;
    return standing(this.#told, asked ? await this.#found().catch(() => []) : []);
  }

  /**
   * The engine is there: it drains what it should, and only that. An engine that was looked at is not asked again until
   * it is another one.
   * @returns why it could not be brought about, or `null`
   */
  async hold(instance: string): Promise<string | null> {
    const { log } = this.#needs;
    const mine = `${instance} ${JSON.stringify(this.#told)}`;
    if (this.#held === mine) return null;
    try {
      await this.#bring();
      this.#held = mine;
      this.#trouble = null;
    } catch (e) {
      // Nothing runs there yet: looked at again once something does.
      if (isNothing(e)) return null;
      const why = e instanceof Error ? e.message : String(e);
      if (why !== this.#trouble) log.warn('the engine does not take what this node was told to', { why });
      this.#trouble = why;
    }
    return this.#trouble;
  }

  /** On the disk first: what was said holds even if the engine comes later. What it refuses is taken back. */
  async #tell(told: Told): Promise<void> {
    const before = this.#told;
    await this.#needs.spool.keep(told);
    this.#told = told;
    this.#held = null;
    try {
      await this.#bring();
    } catch (e) {
      if (isAway(e) || isNothing(e)) return;
      await this.#needs.spool.keep(before);
      this.#told = before;
      await this.#bring().catch(() => undefined);
      throw e;
    }
  }

  async #bring(): Promise<void> {
    const { engine, now } = this.#needs;
    const { drain, undrain } = holding(this.#told, await this.#found());
    for (const service of undrain) await engine.undrain({ service });
    for (const { service, until } of drain) {
      await engine.drain({ service, deadlineMs: Math.max(0, until - now()) });
    }
  }

  async #found(): Promise<readonly DrainView[]> {
    return (await this.#needs.engine.drainStatus()).drains;
  }

  async #left(service: string | null): Promise<number> {
    const found = await this.#found().catch(() => []);
    return found.find((d) => d.service === service)?.streams ?? 0;
  }
}

function isAway(e: unknown): boolean {
  return e instanceof AppError && (e.code === 'unavailable' || e.code === 'timeout');
}

/** The engine carries no document, so there is nothing to drain. */
function isNothing(e: unknown): boolean {
  return e instanceof AppError && e.code === 'precondition';
}
