import { describe, expect, it } from 'vitest';
import { ManualTime } from '../../test/fakes/manual-time.ts';
import { Conversation } from './conversation.ts';

const STEP_MS = 500;

function begun() {
  const time = new ManualTime(0);
  const said: string[] = [];
  const say = (what: string) => async (): Promise<void> => {
    said.push(`${what} ${time.now() / 1000}`);
  };
  const c = new Conversation({ timers: time, beat: say('beat'), report: say('report'), both: say('both') });
  const pass = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= STEP_MS) {
      time.advance(STEP_MS);
      // What was due runs to its end.
      for (let i = 0; i < 10; i++) await Promise.resolve();
    }
  };
  return { pass, said, c };
}

describe('the pace of a conversation', () => {
  it('until the master offers its own, reports go with heartbeats each ten seconds', async () => {
    const { pass, said } = begun();
    await pass(30_000);
    expect(said).toEqual(['both 10', 'both 20', 'both 30']);
  });

  it('who is looked at reports each second, and heartbeats keep their time', async () => {
    const { pass, said, c } = begun();
    await pass(8_500);
    c.pace(null, 1000);
    await pass(3_000);
    expect(said).toEqual(['report 9.5', 'beat 10', 'report 10.5', 'report 11.5']);
    said.length = 0;
    c.pace(null, 10_000);
    await pass(20_000);
    expect(said).toEqual(['both 20', 'both 30']);
  });

  it('a fleet that has grown is offered both anew, and they stay together', async () => {
    const { pass, said, c } = begun();
    await pass(4_000);
    c.pace(20_000, 20_000);
    await pass(60_000);
    expect(said).toEqual(['both 24', 'both 44', 'both 64']);
  });

  it('reports that are rarer than heartbeats have a time of their own', async () => {
    const { pass, said, c } = begun();
    c.pace(10_000, 24_000);
    await pass(50_000);
    expect(said).toEqual(['beat 10', 'beat 20', 'report 24', 'beat 30', 'beat 40', 'report 48', 'beat 50']);
  });

  it('is over with it', async () => {
    const { pass, said, c } = begun();
    c.pace(null, 1000);
    c.end();
    await pass(60_000);
    expect(said).toEqual([]);
  });
});
