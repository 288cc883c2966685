// Exponential with full jitter [AWS architecture blog]: a fleet that lost its master at one moment does not come back
// at one moment.

export interface BackoffSettings {
  readonly baseMs: number;
  readonly maxMs: number;
}

export const BACKOFF: BackoffSettings = { baseMs: 250, maxMs: 10_000 };

/**
 * How long to wait before attempt number `attempt` (0 is the first one after a failure).
 * @param random in [0, 1)
 */
export function backoffMs(attempt: number, random: () => number, s: BackoffSettings = BACKOFF): number {
  const ceiling = Math.min(s.maxMs, s.baseMs * 2 ** Math.min(attempt, 30));
  return Math.floor(random() * ceiling);
}
