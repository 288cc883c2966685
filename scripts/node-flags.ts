/**
 * For the runtime, before a program. Releases start them so, and what is measured is started as in a release.
 * The engine's are those of agent/host/engine-process.ts. A master with thousands of agents hears from one of them now
 * and then: a large young generation is memory that says nothing, 35 MB of 540 with 2,000 of them, for the same work. V8
 * takes as much as that for an idle program and collects its whole heap each minute or two to give memory back: with
 * 10,000 agents half a second of both cores each time, for nothing.
 */
export const NODE_FLAGS: Readonly<Record<string, readonly string[]>> = {
  engine: ['--max-semi-space-size=8'],
  master: ['--max-semi-space-size=16', '--no-memory-reducer'],
};
