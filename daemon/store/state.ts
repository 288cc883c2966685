import { AppError } from '../../proto/vocab/errors.ts';
import type { Revision } from '../../proto/vocab/ids.ts';
import { type Commit, KINDS, type Kind, type Kinds, type Op, type Snapshot } from '../service/ports.ts';
import { changed, changesOf, encodeRecord, type WrittenCommit, type WrittenOp } from './record.ts';
import { Table, type TableEdit } from './table.ts';

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
    const edits = this.#edits();
    const ops = commit.ops.map((op): WrittenOp => {
      const edit = edits.of(op.kind);
      if (op.op === 'del') {
        edit.delete(op.key);
        return op;
      }
      const before = edit.put(op.key, op.value);
      return before === undefined ? op : changesOf(op, before);
    });
    return new State(commit.rev, edits.done(), encodeRecord({ ...commit, ops }));
  }

  /**
   * Commits read back, in one edit: a journal is replayed without a snapshot a line.
   * @throws AppError `internal`: one changes what is not there
   */
  replay(commits: Iterable<Pick<WrittenCommit, 'rev' | 'ops'>>): State {
    const edits = this.#edits();
    let revision = this.revision;
    for (const { rev, ops } of commits) {
      revision = rev;
      for (const op of ops) {
        const edit = edits.of(op.kind);
        if (op.op === 'put') edit.put(op.key, op.value);
        else if (op.op === 'del') edit.delete(op.key);
        else {
          const was = edit.get(op.key);
          if (!was)
            throw new AppError(
              'internal',
              `revision ${rev} changes ${op.kind} ${op.key}, which is not there`,
            );
          edit.put(op.key, changed(op, was));
        }
      }
    }
    return new State(revision, edits.done(), null);
  }

  #edits(): { of(kind: Kind): TableEdit<object>; done(): Tables } {
    const edits = new Map<Kind, TableEdit<object>>();
    return {
      of: (kind) => {
        let edit = edits.get(kind);
        if (!edit) {
          edit = (this.#tables[kind] as Table<unknown> as Table<object>).edit();
          edits.set(kind, edit);
        }
        return edit;
      },
      done: () => {
        const made = Object.fromEntries([...edits].map(([kind, edit]) => [kind, edit.done()]));
        return { ...this.#tables, ...made } as Tables;
      },
    };
  }

  #table<K extends Kind>(kind: K): Table<Kinds[K]> {
    return this.#tables[kind];
  }
}
