import type { Effect } from './traffic.ts';

/** How agents answer; may be changed while they run. Durations in ms, shares 0 to 1. */
export interface Behaviour {
  /** Median time from an offer to its answer; spread log-normally. */
  readonly ackMs: number;
  readonly refuse: number;
  /** Of those that flap: how long they stay, on average. */
  readonly flapEveryMs: number;
  /** By version label: what it does to the streams of its nodes. */
  readonly effects: Readonly<Record<string, Effect>>;
  /** Label of a version that every node refuses. */
  readonly refused: readonly string[];
}

export const BEHAVIOUR: Behaviour = {
  ackMs: 250,
  refuse: 0,
  flapEveryMs: 20_000,
  effects: {},
  refused: [],
};
export const SLOW_ACK_MS = 8_000;

/** Of one version: offers heard, and how they were answered. */
export interface Answers {
  readonly offered: number;
  readonly applied: number;
  readonly refused: number;
  /** Epoch ms of the first offer and of the last answer; 0: none. */
  readonly firstAt: number;
  readonly lastAt: number;
}

/** What a fleet has done so far. */
export interface Tally {
  readonly nodes: number;
  readonly joined: number;
  /** Conversations open now, and all that ever were. */
  readonly open: number;
  readonly opened: number;
  readonly closed: number;
  readonly heartbeats: number;
  readonly reports: number;
  readonly answers: Readonly<Record<string, Answers>>;
  /** Why conversations ended or were not to be had. */
  readonly reasons: Readonly<Record<string, number>>;
  readonly cpuMs: number;
}

export const NOTHING: Tally = {
  nodes: 0,
  joined: 0,
  open: 0,
  opened: 0,
  closed: 0,
  heartbeats: 0,
  reports: 0,
  answers: {},
  reasons: {},
  cpuMs: 0,
};

export const NO_ANSWERS: Answers = { offered: 0, applied: 0, refused: 0, firstAt: 0, lastAt: 0 };

/** Of several processes as one. */
export function added(a: Tally, b: Tally): Tally {
  const answers: Record<string, Answers> = { ...a.answers };
  for (const [label, y] of Object.entries(b.answers)) {
    const x = answers[label];
    answers[label] = x
      ? {
          offered: x.offered + y.offered,
          applied: x.applied + y.applied,
          refused: x.refused + y.refused,
          firstAt: Math.min(x.firstAt || y.firstAt, y.firstAt || x.firstAt),
          lastAt: Math.max(x.lastAt, y.lastAt),
        }
      : y;
  }
  const reasons: Record<string, number> = { ...a.reasons };
  for (const [why, n] of Object.entries(b.reasons)) reasons[why] = (reasons[why] ?? 0) + n;
  return {
    nodes: a.nodes + b.nodes,
    joined: a.joined + b.joined,
    open: a.open + b.open,
    opened: a.opened + b.opened,
    closed: a.closed + b.closed,
    heartbeats: a.heartbeats + b.heartbeats,
    reports: a.reports + b.reports,
    cpuMs: a.cpuMs + b.cpuMs,
    answers,
    reasons,
  };
}
