import type { ConsoleApi } from '../../proto/link/console-api.ts';

/** What a command is given to work with; the edge to the process is `main.ts`. */
export interface CtlIo {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Whether stdout is a person's terminal: outside text is made safe for it. */
  readonly outIsTty: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Bytes of a file, or of stdin for `-`. @throws what the disk says */
  readonly read: (path: string) => Promise<Uint8Array>;
  readonly connect: (socket: string) => ConsoleApi;
  readonly now: () => number;
  readonly sleep: (ms: number) => Promise<void>;
}

export type OutputForm = 'table' | 'json' | 'wide';

/** What went well enough to end with, but not with 0. */
export class CtlExit extends Error {
  readonly status: number;
  constructor(status: number) {
    super(`exit ${status}`);
    this.status = status;
  }
}

export const EXIT = { ok: 0, refused: 1, usage: 2, notConnected: 3 } as const;
