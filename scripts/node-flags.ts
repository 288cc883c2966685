/**
 * For the runtime, before a program. Releases start them so, and what is measured is started as in a release.
 * The engine's are those of agent/host/engine-process.ts. A master with thousands of agents hears from one of them now
 * and then: a large young generation is memory that says nothing, 35 MB of 540 with 2,000 of them, for the same work.
 */
export const NODE_FLAGS: Readonly<Record<string, readonly string[]>> = {
  engine: ['--max-semi-space-size=8'],
  master: ['--max-semi-space-size=16'],
};
