import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Fleet } from '../../scripts/demo/fleet.ts';
import { SteppedOrigin } from '../harness/origin.ts';

// The official client, through edge and core, against an origin that says each token only when it is told to.

describe('a chat completion through the tunnel', () => {
  let origin: SteppedOrigin;
  let fleet: Fleet;
  const client = () =>
    new OpenAI({ apiKey: 'none', baseURL: `http://127.0.0.1:${fleet.ports.chat1}/v1`, maxRetries: 0 });

  beforeAll(async () => {
    origin = await SteppedOrigin.start();
    fleet = await Fleet.start({ origins: { a: origin.port, b: origin.port } });
  });
  afterAll(async () => {
    await fleet?.stop();
    await origin?.stop();
  });

  it('each token arrives before the next is sent, and the text is the origin’s', async () => {
    const words = Array.from({ length: 40 }, (_, i) => (i % 7 === 0 ? ` 香港-${i}` : ` token-${i}`));
    const asked = origin.next();
    const stream = client().chat.completions.create({
      model: 'm',
      stream: true,
      messages: [{ role: 'user', content: 'hello' }],
    });
    const answer = await asked;
    answer.begin();
    let text = '';
    let sent = 0;
    answer.token(words[sent++] ?? '');
    for await (const chunk of await stream) {
      const content = chunk.choices[0]?.delta.content;
      if (!content) continue;
      text += content;
      // The next word leaves the origin only now: a held token would stop the test here.
      if (sent < words.length) answer.token(words[sent++] ?? '');
      else answer.end();
    }
    expect(text).toBe(words.join(''));
  });

  it('an origin that dies in the middle of an answer is an error, never a short answer', async () => {
    const asked = origin.next();
    const stream = client().chat.completions.create({
      model: 'm',
      stream: true,
      messages: [{ role: 'user', content: 'hello' }],
    });
    const answer = await asked;
    answer.begin();
    answer.token('half');
    let text = '';
    await expect(async () => {
      for await (const chunk of await stream) {
        text += chunk.choices[0]?.delta.content ?? '';
        answer.reset();
      }
    }).rejects.toThrow();
    expect(text).toBe('half');
  });
});
