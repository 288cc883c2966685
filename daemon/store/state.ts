import type { Revision } from '../../proto/vocab/ids.ts';
import { type Commit, KINDS, type Kind, type Kinds, type Op, type Snapshot } from '../service/ports.ts';
import { encodeRecord } from './record.ts';
import { Table } from './table.ts';

type Tables = { readonly [K in Kind]: Table<Kinds[K]> };

/** What lowdb holds: everything at one revision, and the commit that led to it. Immutable; commits share structure. */
export class State implements Snapshot {
  readonly revision: Revision;
  /** The journal line of the commit that led here, for the adapter; `null` for a state read from disk. */
  readonly line: Uint8Array | null;
  readonly #tables: Tables;

  private constructor(revision: Revision, tables: Tables, line: Uint8Array | null) {
    this.revision = revision;
    this.#tables = tables;
    this.line = line;
  }

  static empty(): State {
    const tables = Object.fromEntries(KINDS.map((k) => [k, Table.empty()]));
    return new State(0, tables as unknown as Tables, null);
  }

  get<K extends Kind>(kind: K, key: string): Kinds[K] | undefined {
    return this.#table(kind).get(key);
  }

  list<K extends Kind>(kind: K): readonly Kinds[K][] {
    return this.#table(kind).list();
  }

  count(kind: Kind): number {
    return this.#tables[kind].size;
  }

  /** Every entity as the op that would put it, kind by kind, in order: what a snapshot file holds. */
  *puts(): Generator<Op> {
    for (const kind of KINDS) {
      for (const { key, value } of this.#tables[kind].entries()) yield { op: 'put', kind, key, value } as Op;
    }
  }

  /** @throws what JSON.stringify throws, with nothing changed */
  apply(commit: Commit): State {
    return this.#edit([commit], encodeRecord(commit));
  }

  /** Commits read back, in one edit: a journal is replayed without a snapshot a line. */
  replay(commits: Iterable<Pick<Commit, 'rev' | 'ops'>>): State {
    return this.#edit(commits, null);
  }

  #edit(commits: Iterable<Pick<Commit, 'rev' | 'ops'>>, line: Uint8Array | null): State {
    const edits = new Map<Kind, ReturnType<Table<unknown>['edit']>>();
    let revision = this.revision;
    for (const { rev, ops } of commits) {
      revision = rev;
      for (const op of ops) {
        const edit = edits.get(op.kind) ?? (this.#tables[op.kind] as unknown as Table<unknown>).edit();
        edits.set(op.kind, edit);
        if (op.op === 'put') edit.put(op.key, op.value);
        else edit.delete(op.key);
      }
    }
    const changed = Object.fromEntries([...edits].map(([kind, edit]) => [kind, edit.done()]));
    return new State(revision, { ...this.#tables, ...changed } as Tables, line);
  }

  #table<K extends Kind>(kind: K): Table<Kinds[K]> {
    return this.#tables[kind];
  }
}
