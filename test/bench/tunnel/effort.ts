import type { Transport } from '../../harness/transports.ts';

export interface Effort {
  readonly rounds: number;
  readonly warmSeconds: number;
  readonly rpsSeconds: number;
  readonly connectionSeconds: number;
  readonly tlsSeconds: number;
  readonly bulkSeconds: number;
  readonly streams: readonly number[];
  readonly streamSeconds: number;
  /** Memory is the slope between so many connections and so many. */
  readonly idle: readonly [few: number, more: number];
  /** Whose memory is taken; `null`: everybody's. */
  readonly idleOf: readonly string[] | null;
  /** Between our two nodes. */
  readonly transports: readonly Transport[];
  /** Connections at once through several of our workers; 0: not tried. */
  readonly many: number;
  /** With a long and a lossy line between the nodes. */
  readonly line: boolean;
}

export const QUICK: Effort = {
  rounds: 1,
  warmSeconds: 1,
  rpsSeconds: 1,
  connectionSeconds: 1,
  tlsSeconds: 1,
  bulkSeconds: 1,
  streams: [500],
  streamSeconds: 2,
  idle: [2_000, 6_000],
  idleOf: ['haproxy', 'ours', 'go smux', 'ours mtls'],
  transports: ['tls', 'mtls'],
  many: 0,
  line: false,
};

export const WHOLE: Effort = {
  rounds: 3,
  warmSeconds: 2,
  rpsSeconds: 3,
  connectionSeconds: 2,
  tlsSeconds: 3,
  bulkSeconds: 2,
  streams: [500, 2_000],
  streamSeconds: 5,
  idle: [2_000, 6_000],
  idleOf: null,
  transports: ['tls', 'wss', 'mtls', 'mwss'],
  many: 100_000,
  line: true,
};
