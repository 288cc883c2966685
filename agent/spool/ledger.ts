import { createHash } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { COMMAND_STATES, type CommandResult, isSettled } from '../../proto/vocab/command.ts';
import type { CommandId, Millis } from '../../proto/vocab/ids.ts';
import { makeDir, readRecord, record, writeRecord } from './durable.ts';

/** One command as this node has dealt with it. */
export interface LedgerEntry {
  readonly result: CommandResult;
  readonly at: Millis;
  /** The master has its result. */
  readonly told: boolean;
}

const KEPT_MS = 7 * 24 * 3_600_000;
/** 10,000 files of it are read in well under a second; of more, those whose result the master has give way, oldest first. */
const MOST = 10_000;

/**
 * The command ledger: `<state_dir>/ledger`, one file a command. The master delivers at least once; a command that stands
 * here has been begun and is not begun again [AWS IoT Jobs].
 */
export class Ledger {
  readonly #dir: string;
  readonly #most: number;
  readonly #now: () => Millis;
  readonly #report: (text: string) => void;
  readonly #entries = new Map<CommandId, LedgerEntry>();

  constructor(
    settings: { readonly stateDir: string; readonly most?: number },
    needs: { now: () => Millis; report: (text: string) => void },
  ) {
    this.#dir = path.join(settings.stateDir, 'ledger');
    this.#most = settings.most ?? MOST;
    this.#now = needs.now;
    this.#report = needs.report;
  }

  /** What an agent that was killed had begun has an unknown outcome: it is settled as failed. */
  async load(): Promise<void> {
    await makeDir(this.#dir);
    const found: LedgerEntry[] = [];
    for (const name of await readdir(this.#dir)) {
      const file = path.join(this.#dir, name);
      if (name.endsWith('.tmp')) {
        await rm(file, { force: true });
        continue;
      }
      if (!/^[0-9a-f]{32}$/.test(name)) continue;
      const entry = await readRecord(file, readEntry, this.#report);
      if (!entry) continue;
      if (this.#now() - entry.at > KEPT_MS) await rm(file, { force: true });
      else found.push(entry);
    }
    for (const e of found.toSorted((a, b) => a.at - b.at)) this.#entries.set(e.result.commandId, e);
    for (const { result } of [...this.#entries.values()]) {
      if (isSettled(result.state)) continue;
      await this.put({
        ...result,
        state: 'failed',
        exitCode: 1,
        outputTail:
          'the agent was restarted while this ran: whether it took effect is not known; run it again',
      });
    }
  }

  get(id: CommandId): LedgerEntry | null {
    return this.#entries.get(id) ?? null;
  }

  /** Settled, and not known to have reached the master; oldest first. */
  untold(): readonly CommandResult[] {
    return [...this.#entries.values()]
      .filter((e) => !e.told && isSettled(e.result.state))
      .toSorted((a, b) => a.at - b.at)
      .map((e) => e.result);
  }

  /** On disk when it settles. @throws when the disk refuses: then the command must not be begun */
  async put(result: CommandResult): Promise<void> {
    await this.#forgetOld();
    await this.#write({ result, at: this.#now(), told: false });
  }

  async told(id: CommandId): Promise<void> {
    const entry = this.#entries.get(id);
    if (entry && !entry.told) await this.#write({ ...entry, told: true });
  }

  /** Oldest first, so that a look at the first one mostly does. */
  async #forgetOld(): Promise<void> {
    let surplus = this.#entries.size - this.#most;
    for (const [id, { at, told, result }] of this.#entries) {
      const over = this.#now() - at > KEPT_MS;
      if (!over && surplus < 0) break;
      if (!over && !(told && isSettled(result.state))) continue;
      await rm(this.#fileOf(id), { force: true });
      this.#entries.delete(id);
      surplus -= 1;
    }
  }

  /** An id comes from the master: it names no path. */
  #fileOf(id: CommandId): string {
    return path.join(this.#dir, createHash('sha256').update(id).digest('hex').slice(0, 32));
  }

  async #write(entry: LedgerEntry): Promise<void> {
    const { commandId } = entry.result;
    await writeRecord(this.#fileOf(commandId), entry);
    // A result stands where its command began: by time.
    this.#entries.set(commandId, entry);
  }
}

function readEntry(value: unknown): LedgerEntry {
  const v = record(value);
  const result = record(v['result']);
  if (typeof result['commandId'] !== 'string') throw new Error('names no command');
  if (!COMMAND_STATES.some((s) => s === result['state'])) throw new Error('is in no state');
  if (typeof v['at'] !== 'number') throw new Error('has no time');
  return { result: result as unknown as CommandResult, at: v['at'], told: v['told'] === true };
}
