import path from 'node:path';
import type { ConfigHash, VersionLabel } from '../../proto/vocab/ids.ts';
import type { ConfigPhase, Refusal } from '../../proto/vocab/node.ts';
import type { Body, Failure, Kept } from '../core/steps.ts';
import { makeDir, readOrNull, readRecord, record, writeDurably, writeRecord } from './durable.ts';

/**
 * What a node remembers of its documents: `<state_dir>/last-known-good`, and the effective document as received at
 * `gost.config_path`, for an engine that starts before any agent does.
 */
export class LastKnownGood {
  readonly #record: string;
  readonly #document: string;
  readonly #report: (text: string) => void;
  #written: string | null = null;

  constructor(
    settings: { readonly stateDir: string; readonly configPath: string },
    needs: { report: (text: string) => void },
  ) {
    this.#record = path.join(settings.stateDir, 'last-known-good');
    this.#document = settings.configPath;
    this.#report = needs.report;
  }

  /** `null`: nothing yet, or it was damaged and is set aside. */
  load(): Promise<Kept | null> {
    return readRecord(this.#record, readKept, this.#report);
  }

  /** The document first: what is remembered is never newer than what an engine would start with. */
  async keep(kept: Kept): Promise<void> {
    const text = kept.effective?.text;
    if (text !== undefined && text !== this.#written) {
      await makeDir(path.dirname(this.#document));
      await writeDurably(this.#document, text);
      this.#written = text;
    }
    await this.remember(kept);
  }

  async remember(kept: Kept): Promise<void> {
    await makeDir(path.dirname(this.#record));
    await writeRecord(this.#record, kept);
  }

  /** The text an engine that starts by itself would carry. */
  document(): Promise<string | null> {
    return readOrNull(this.#document);
  }
}

function readKept(value: unknown): Kept {
  const v = record(value);
  const commit = record(v['commit']);
  const rejected = v['rejected'] === null ? null : record(v['rejected']);
  return {
    storeId: text(v['storeId'], 'storeId'),
    revision: figure(v['revision'], 'revision'),
    effective: body(v['effective']),
    previous: body(v['previous']),
    switchedAt: v['switchedAt'] === null ? null : figure(v['switchedAt'], 'switchedAt'),
    commit:
      commit['kind'] === 'waiting'
        ? {
            kind: 'waiting',
            id: text(commit['id'], 'commit.id'),
            deadline: figure(commit['deadline'], 'commit.deadline'),
          }
        : { kind: 'none' },
    rejected: rejected && {
      hash: text(rejected['hash'], 'rejected.hash') as ConfigHash,
      failure: failure(record(rejected['failure'])),
      reverted: rejected['reverted'] === true,
      // An earlier release did not keep it.
      ...(rejected['revision'] === undefined
        ? {}
        : { revision: figure(rejected['revision'], 'rejected.revision') }),
    },
  };
}

function body(value: unknown): Body | null {
  if (value === null) return null;
  const v = record(value);
  return {
    hash: text(v['hash'], 'hash') as ConfigHash,
    version: v['version'] === null ? null : (text(v['version'], 'version') as VersionLabel),
    revision: figure(v['revision'], 'revision'),
    text: text(v['text'], 'text'),
  };
}

function failure(v: Readonly<Record<string, unknown>>): Failure {
  const refusal = record(v['refusal']);
  text(refusal['code'], 'refusal.code');
  text(refusal['message'], 'refusal.message');
  return {
    phase: text(v['phase'], 'phase') as ConfigPhase,
    refusal: refusal as unknown as Refusal,
    transient: v['transient'] === true,
    logTail: text(v['logTail'], 'logTail'),
  };
}

function text(value: unknown, field: string): string {
  if (typeof value !== 'string') throw new Error(`${field} is no text`);
  return value;
}

function figure(value: unknown, field: string): number {
  if (typeof value !== 'number' || !Number.isFinite(value)) throw new Error(`${field} is no number`);
  return value;
}
