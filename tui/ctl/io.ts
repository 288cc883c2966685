import type { BackupApi } from '../../proto/link/backup-api.ts';
import type { ConsoleApi } from '../../proto/link/console-api.ts';
import type { PeopleApi } from '../../proto/link/people-api.ts';
import type { RolloutsApi } from '../../proto/link/rollouts-api.ts';
import type { Master } from '../client/place.ts';

export type Api = ConsoleApi & PeopleApi & RolloutsApi & BackupApi;

/** What a command is given to work with; the edge to the process is `main.ts`. */
export interface CtlIo {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Whether stdout is a person's terminal: outside text is made safe for it. */
  readonly outIsTty: boolean;
  /** Whether stderr is: progress is for a person only. */
  readonly errIsTty: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Bytes of a file, or of stdin for `-`. @throws what the disk says */
  readonly read: (path: string) => Promise<Uint8Array>;
  /** A new file of mode 0600, whole or not at all. @returns its bytes. @throws AppError `conflict` when it is there */
  readonly write: (path: string, parts: AsyncIterable<Uint8Array>) => Promise<number>;
  /** A person's answer, one line; `hidden`: without echo. `null`: nobody is there to ask. */
  readonly ask: ((prompt: string, how?: { readonly hidden: boolean }) => Promise<string>) | null;
  readonly connect: (master: Master) => Api;
  readonly now: () => number;
  readonly sleep: (ms: number) => Promise<void>;
}

export const FORMS = ['table', 'wide', 'json', 'yaml', 'name'] as const;
export type OutputForm = (typeof FORMS)[number];

/** Something that went well enough to end with, but not with 0. What there is to say was said. */
export class CtlExit extends Error {
  readonly status: number;
  constructor(status: number) {
    super(`exit ${status}`);
    this.status = status;
  }
}

/** Whoever would have to say yes did not, or is not here. */
export class NotConfirmed extends Error {}

export const EXIT = {
  ok: 0,
  refused: 1,
  usage: 2,
  notConnected: 3,
  notAllowed: 4,
  notFound: 5,
  conflict: 6,
  notConfirmed: 7,
  notSucceeded: 8,
} as const;

export const EXIT_WORDS: Readonly<Record<keyof typeof EXIT, string>> = {
  ok: 'done',
  refused: 'refused by the master, or a node failed; why is on stderr',
  usage: 'not a command this program knows, or settings that are wrong',
  notConnected: 'no master answers, or not in time',
  notAllowed: 'nobody is logged in, or the role may not',
  notFound: 'there is no such node, version, command, …',
  conflict: 'something else is there: a name that is taken, or another revision than --if-revision says',
  notConfirmed: 'not confirmed: answered with no, or nobody was there to ask',
  notSucceeded:
    'a rollout that was followed did not succeed: rolled back, superseded, cancelled, or not over in time',
};
