import type { AgentSettings } from '../config/agent.ts';
import { AppError } from '../proto/vocab/errors.ts';
import { createEmbeddedEngine } from './engine/embedded/client.ts';
import type { Engine } from './engine/port.ts';

// What is done with a node's engine by hand, on its host, whether or not an agent and a master are there.

const WAIT_MS = 5_000;

/**
 * The engine goes on with the processes of this release; those before end with their streams.
 * @param exec the engine's program beside this one
 * @returns what was done, in words
 * @throws AppError `unavailable` without an engine, `unsupported` for one that is one process, `invalid` when the new
 *   processes do not take over: then nothing has changed
 */
export function upgradeEngine(settings: AgentSettings, exec: string, deadlineMs: number): Promise<string> {
  return withEngine(settings, async (engine) => {
    const { version, workers, streamsKept } = await engine.upgrade({ exec, deadlineMs });
    return `engine ${version}: ${workers.length} processes carry; ${streamsKept} streams go on in those before`;
  });
}

/** It reads its certificates again. @returns what was done, in words */
export function reloadEngine(settings: AgentSettings): Promise<string> {
  return withEngine(settings, async (engine) => {
    const { before, after, unchanged, streamsKept } = await engine.reload();
    const same = unchanged ? ', unchanged' : '';
    return `engine reloaded: generation ${before.generation} -> ${after.generation}${same}; ${streamsKept} streams kept`;
  });
}

async function withEngine(
  settings: AgentSettings,
  work: (engine: Engine) => Promise<string>,
): Promise<string> {
  const engine = createEmbeddedEngine({ socket: settings.engine.socket });
  try {
    await new Promise<void>((resolve, reject) => {
      const late = setTimeout(() => {
        const where = settings.engine.socket;
        reject(
          new AppError('unavailable', `no engine answers on ${where}: is the ai-cdn-engine unit running?`),
        );
      }, WAIT_MS);
      engine.onLink((up) => {
        if (!up) return;
        clearTimeout(late);
        resolve();
      });
    });
    return await work(engine);
  } finally {
    engine.close();
  }
}
