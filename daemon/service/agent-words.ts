import { AppError } from '../../proto/vocab/errors.ts';
import type { Millis, NodeName } from '../../proto/vocab/ids.ts';
import type { Node } from '../../proto/vocab/node.ts';
import type { Draft, Log, Snapshot } from './ports.ts';
import type { Decision, Effect, EventDraft, Writer } from './write.ts';

/** What follows from something that an agent said, for its node as it is by then. */
export interface Word {
  readonly name: NodeName;
  readonly what: string;
  readonly decide: (node: Node, view: Snapshot, now: Millis) => Decision<null>;
}

/** Words in one commit: what it changes must stay a change to consoles, not the whole state anew. */
const MOST_AT_ONCE = 100;
/** So many in one commit are a fleet that speaks: the next commit waits for what others have to say. */
const MANY = 8;
/** Words that wait for a disk that refuses. */
const MOST_WAITING = 10_000;

interface Needs {
  readonly writer: Writer;
  readonly log: Log;
  /** A moment goes by. */
  readonly moment?: (() => Promise<void>) | undefined;
}

/**
 * The words of agents on their way into the store, in the order they were said. One that comes while nothing is under way is
 * written at once; those that come meanwhile are written together, and while there are many of them what comes within a
 * moment more: a fleet that answers in one second costs some hundred commits instead of ten thousand. What the disk
 * refuses is kept and tried again.
 */
export class AgentWords {
  private readonly needs: Needs;
  private line: Word[] = [];
  private writing: Promise<void> | null = null;
  private waiting: Word[] = [];
  private readonly waitingOf = new Set<NodeName>();
  private lastTogether = 0;

  constructor(needs: Needs) {
    this.needs = needs;
  }

  say(word: Word): void {
    // Never before an earlier word of the same node.
    if (this.waitingOf.has(word.name)) {
      this.wait(word);
      return;
    }
    this.line.push(word);
    this.next();
  }

  /** The disk takes writes again: what it refused, in its order. */
  retry(): void {
    const words = this.waiting;
    if (words.length === 0) return;
    this.waiting = [];
    this.waitingOf.clear();
    this.line = [...words, ...this.line];
    this.next();
  }

  /** Everything said so far is on disk, or waits for it. */
  async settled(): Promise<void> {
    while (this.writing !== null) await this.writing;
  }

  private next(): void {
    if (this.writing !== null || this.line.length === 0) return;
    this.writing = this.write().finally(() => {
      this.writing = null;
      this.next();
    });
  }

  private async write(): Promise<void> {
    const { writer, log, moment } = this.needs;
    if (this.lastTogether >= MANY && this.line.length < MOST_AT_ONCE) await moment?.();
    let words: readonly Word[] = [];
    const [first] = this.line;
    try {
      await writer.write(`node ${first?.name}`, 'agent', (view, now) => {
        const together = this.decided(view, now);
        words = this.line.splice(0, together.words);
        return together;
      });
    } catch (e) {
      // Whatever it was, the line moves.
      if (words.length === 0) words = this.line.splice(0, 1);
      if (e instanceof AppError && e.code === 'unavailable') for (const word of words) this.wait(word);
      else
        for (const { name, what } of words)
          log.error('an agent’s word was not kept', { node: name, what, error: String(e) });
    }
    this.lastTogether = words.length;
  }

  /** As many of the line as can be decided on one state: each node once, and nothing that another of them changes. */
  private decided(view: Snapshot, now: Millis): Decision<null> & { readonly words: number } {
    const ops = new Map<string, Draft>();
    const events: EventDraft[] = [];
    const effects: Effect[] = [];
    const names = new Set<NodeName>();
    let words = 0;
    for (const word of this.line) {
      if (words >= MOST_AT_ONCE || names.has(word.name)) break;
      const d = this.decision(word, view, now);
      // The mark that a version ran is the same whoever makes it.
      if (d?.ops.some((op) => op.kind !== 'meta' && ops.has(keyOf(op)))) break;
      words += 1;
      names.add(word.name);
      if (!d) continue;
      for (const op of d.ops) ops.set(keyOf(op), op);
      events.push(...d.events);
      effects.push(...(d.effects ?? []));
    }
    return { ops: [...ops.values()], events, effects, result: null, words };
  }

  /** One that cannot be decided takes no other with it. */
  private decision({ name, what, decide }: Word, view: Snapshot, now: Millis): Decision<null> | null {
    const node = view.get('node', name);
    if (!node) return null;
    try {
      return decide(node, view, now);
    } catch (e) {
      this.needs.log.error('an agent’s word was not kept', { node: name, what, error: String(e) });
      return null;
    }
  }

  private wait(word: Word): void {
    if (this.waiting.length === 0) {
      this.needs.log.warn('the disk refuses: what agents say waits', { node: word.name, what: word.what });
    }
    this.waiting.push(word);
    this.waitingOf.add(word.name);
    if (this.waiting.length > MOST_WAITING) this.waiting.shift();
  }
}

const keyOf = (op: Draft): string => `${op.kind}/${op.key}`;
