import type { TunnelDocument } from '../../proto/document/document.ts';
import { configHash } from '../../proto/document/hash.ts';
import { placeOf } from '../../proto/document/place.ts';
import { readDocument } from '../../proto/document/read.ts';
import { nodeCapabilities, requiredCapabilities } from '../../proto/document/requires.ts';
import type { ConfigStatusReport } from '../../proto/vocab/agent-link.ts';
import { AppError, formatRefusal } from '../../proto/vocab/errors.ts';
import type { ConfigHash, Millis } from '../../proto/vocab/ids.ts';
import type { ConfigPhase, EngineInfo, Refusal } from '../../proto/vocab/node.ts';
import type { SealedItem } from '../../proto/vocab/secret.ts';
import { judgeConfirm, type Reach } from '../core/confirm.ts';
import type { Log } from '../core/log.ts';
import { type Body, type Failure, type Kept, NOTHING_KEPT, type Step } from '../core/steps.ts';
import type { Engine, EngineIdentity } from '../engine/port.ts';

/** `null`: done. A failure says in which phase, and whether another try may help. */
export type Executors = {
  readonly [K in Step['do']]: (step: Extract<Step, { do: K }>) => Promise<Failure | null>;
};

export interface ExecutorNeeds {
  readonly engine: Engine;
  readonly identity: EngineIdentity;
  readonly spool: {
    keep(kept: Kept): Promise<void>;
    remember(kept: Kept): Promise<void>;
    document(): Promise<string | null>;
  };
  /** Where what documents name is kept. */
  readonly sealed: { put(items: readonly SealedItem[]): Promise<void> };
  /** What is kept, in memory; follows the disk, never leads it. */
  readonly memory: { kept: Kept };
  findEngine(): Promise<Failure | null>;
  report(report: ConfigStatusReport): void;
  note(kind: string, text: string): void;
  readonly now: () => Millis;
  readonly sleep: (ms: number) => Promise<void>;
  readonly log: Log;
}

/** What one way from validate to confirm carries along. */
interface Attempt {
  readonly hash: ConfigHash;
  readonly document: TunnelDocument;
  readonly generation: number;
  readonly before: { readonly document: TunnelDocument | null; readonly reach: Reach | null };
  readonly logSeq: number;
  readonly warnings: readonly string[];
}

const NO_DOCUMENT: TunnelDocument = { services: [], chains: [], hops: [], authers: [] };
const TRANSIENT: readonly string[] = ['unavailable', 'timeout', 'conflict'];
const CONFIRM_TRIES = 3;
const CONFIRM_PAUSE_MS = 300;
const LOG_TAIL = 4096;
const MOST_WARNINGS = 32;

export function createExecutors(needs: ExecutorNeeds): Executors {
  const { engine, memory } = needs;
  let attempt: Attempt | null = null;

  /** Runs one phase; what it throws becomes a failure in it. */
  async function inPhase(phase: ConfigPhase, work: () => Promise<Refusal | null>): Promise<Failure | null> {
    let refusal: Refusal | null;
    let transient = false;
    try {
      refusal = await work();
    } catch (e) {
      refusal = refusalOf(e);
      transient = e instanceof AppError && TRANSIENT.includes(e.code);
    }
    return refusal && { phase, refusal, transient, logTail: await logTail() };
  }

  async function logTail(): Promise<string> {
    try {
      const { lines } = await engine.logs(attempt?.logSeq ?? 0, 1000);
      return lines
        .map((l) => `${l.level} ${l.text}`)
        .join('\n')
        .slice(-LOG_TAIL);
    } catch {
      return '';
    }
  }

  function current(body: Body): Attempt {
    if (attempt?.hash !== body.hash) throw new AppError('internal', 'this document was not validated first');
    return attempt;
  }

  async function infoOrNull(): Promise<EngineInfo | null> {
    return engine.info().catch(() => null);
  }

  async function carry(document: TunnelDocument, hash: ConfigHash): Promise<void> {
    const { identity } = needs;
    const { generation, documentHash } = await engine.info();
    if (documentHash === hash) return;
    await engine.apply({ document, hash, baseGeneration: generation, identity });
  }

  return {
    report: async ({ nonce, phase }) => {
      needs.report({
        status: 'applying',
        phase,
        nonce,
        effectiveHash: memory.kept.effective?.hash ?? null,
        engine: await infoOrNull(),
        warnings: [],
      });
      return null;
    },

    validate: ({ body }) =>
      inPhase('validate', async () => {
        const read = readDocument(body.text);
        if (!read.ok) return firstOf(read.refusals);
        const { document } = read;
        const own = configHash(document);
        if (own !== body.hash) {
          const message = `the document's hash is ${own.slice(0, 12)}, the master calls it ${body.hash.slice(0, 12)}`;
          return { code: 'hash_mismatch', message, hint: 'agent and master are of different releases' };
        }
        const can = nodeCapabilities(await engine.capabilities());
        const missing = requiredCapabilities(document).filter((c) => !can.includes(c));
        if (missing.length > 0) {
          return { code: 'unsupported', message: `this node's engine does not carry ${missing.join(', ')}` };
        }
        const warnings = read.warnings.map(formatRefusal);
        const before = { document: null, reach: null };
        attempt = { hash: body.hash, document, generation: 0, before, logSeq: 0, warnings };
        return null;
      }),

    'keep-sealed': ({ sealed }) =>
      inPhase('prepare', async () => {
        try {
          await needs.sealed.put(sealed);
          return null;
        } catch (e) {
          const message = `what it names cannot be kept on the node's disk: ${e instanceof Error ? e.message : String(e)}`;
          return { code: 'disk', message, hint: 'see state_dir of the agent' };
        }
      }),

    prepare: ({ body }) =>
      inPhase('prepare', async () => {
        const a = current(body);
        const { generation, document } = await engine.effective();
        const logSeq = (await engine.logs(0, 1000)).lines.at(-1)?.seq ?? 0;
        const reach = document === null ? null : await engine.confirm();
        attempt = { ...a, generation, before: { document, reach }, logSeq };
        const { problems } = await engine.validate(a.document, needs.identity);
        return problems.length > 0 ? placed(firstOf(problems), body) : null;
      }),

    switch: ({ body }) =>
      inPhase('switch', async () => {
        const { document, hash, generation } = current(body);
        await engine.apply({ document, hash, baseGeneration: generation, identity: needs.identity });
        return null;
      }),

    confirm: ({ body }) =>
      inPhase('confirm', async () => {
        const a = current(body);
        const { hash } = await engine.effective();
        if (hash !== body.hash) {
          return {
            code: 'not_effective',
            message: `the engine runs ${hash?.slice(0, 12) ?? 'nothing'} instead`,
          };
        }
        for (let left = CONFIRM_TRIES; ; left--) {
          const verdict = judgeConfirm(a.before.reach, await engine.confirm());
          if (verdict.ok) {
            attempt = { ...a, warnings: [...a.warnings, ...verdict.warnings].slice(0, MOST_WARNINGS) };
            return null;
          }
          if (left <= 1) return verdict.refusal;
          await needs.sleep(CONFIRM_PAUSE_MS);
        }
      }),

    'keep-lkg': ({ kept }) =>
      inPhase('confirm', async () => {
        try {
          await needs.spool.keep(kept);
        } catch (e) {
          const message = `cannot be kept on the node's disk: ${e instanceof Error ? e.message : String(e)}`;
          return { code: 'disk', message, hint: 'see state_dir and gost.config_path of the agent' };
        }
        memory.kept = kept;
        return null;
      }),

    // In memory it counts even where the disk refuses: it only makes the node more careful.
    remember: async ({ kept }) => {
      memory.kept = kept;
      try {
        await needs.spool.remember(kept);
      } catch (e) {
        needs.log.error('cannot be remembered across a restart', { error: String(e) });
      }
      return null;
    },

    'put-back': ({ to }) =>
      inPhase('switch', async () => {
        const document = to === null ? (attempt?.before.document ?? NO_DOCUMENT) : documentOf(to);
        const hash = to?.hash ?? configHash(document);
        // Nothing ran and nothing runs.
        if (document === NO_DOCUMENT && (await engine.info()).documentHash === null) return null;
        try {
          await carry(document, hash);
        } catch (e) {
          // Somebody else has applied in between: read again, once.
          if (!(e instanceof AppError) || e.code !== 'conflict') throw e;
          await carry(document, hash);
        }
        return null;
      }),

    ack: async ({ nonce, hash }) => {
      const warnings = attempt?.hash === hash ? attempt.warnings : [];
      needs.report({ status: 'applied', nonce, effectiveHash: hash, engine: await infoOrNull(), warnings });
      needs.log.info('config in force', { hash, version: memory.kept.effective?.version, warnings });
      return null;
    },

    nack: async ({ nonce, hash, failure, reverted }) => {
      const info = await infoOrNull();
      const { phase, refusal, logTail } = failure;
      needs.report({
        status: 'failed',
        phase,
        nonce,
        rejectedHash: hash,
        reverted,
        refusal,
        logTail,
        effectiveHash: info?.documentHash ?? memory.kept.effective?.hash ?? null,
        engine: info,
        warnings: [],
      });
      needs.log.warn('config refused', { hash, phase, reverted, why: formatRefusal(refusal) });
      return null;
    },

    adopt: ({ hash }) =>
      inPhase('validate', async () => {
        const text = await needs.spool.document();
        const read = text === null ? null : readDocument(text);
        if (text === null || !read?.ok || configHash(read.document) !== hash) return null;
        const effective: Body = { hash, version: null, revision: 0, text };
        const kept: Kept = { ...NOTHING_KEPT, ...memory.kept, effective };
        await needs.spool.remember(kept);
        memory.kept = kept;
        needs.log.info('the engine runs the document it found', { hash });
        return null;
      }),

    'find-engine': () => needs.findEngine(),

    note: async ({ kind, text }) => {
      needs.log.warn(text, { kind });
      needs.note(kind, text);
      return null;
    },
  };
}

/** @throws AppError `invalid`: an older agent kept what this one does not read */
function documentOf(body: Body): TunnelDocument {
  const read = readDocument(body.text);
  if (!read.ok) {
    const why = read.refusals.map(formatRefusal).join('; ');
    throw new AppError('invalid', `the kept document ${body.hash.slice(0, 12)} does not read: ${why}`);
  }
  return read.document;
}

function firstOf(refusals: readonly Refusal[]): Refusal {
  const [first, ...more] = refusals;
  if (!first) return { code: 'invalid', message: 'refused without a reason' };
  return more.length === 0 ? first : { ...first, message: `${first.message} (and ${more.length} more)` };
}

/** An engine knows paths; the operator's text has lines. */
function placed(r: Refusal, body: Body): Refusal {
  const place = r.path && !r.line ? placeOf(body.text, r.path) : null;
  return place ? { ...r, ...place } : r;
}

function refusalOf(e: unknown): Refusal {
  if (!(e instanceof AppError))
    return { code: 'internal', message: e instanceof Error ? e.message : String(e) };
  return e.refusals.length > 0 ? firstOf(e.refusals) : { code: e.code, message: e.message };
}
