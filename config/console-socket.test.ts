import { describe, expect, test } from 'vitest';
import { chooseContext } from './console-socket.ts';

const HOME = { HOME: '/nonexistent' };

describe('which master is meant', () => {
  test.each([
    ['the flag before the environment', '/run/a.sock', { AICDN_SOCKET: '/run/b.sock' }, '/run/a.sock'],
    ['the environment before the default', null, { AICDN_SOCKET: '/run/b.sock' }, '/run/b.sock'],
    ['nothing said', null, {}, '/run/ai-cdn/master.sock'],
    ['as gRPC writes it', 'unix:/run/a.sock', {}, '/run/a.sock'],
    ['as a URI', 'unix:///run/a.sock', {}, '/run/a.sock'],
    ['relative to here', 'unix:a.sock', {}, 'a.sock'],
  ])('%s', (_what, socket, env, expected) => {
    expect(chooseContext({ socket, context: null }, { ...HOME, ...env })).toMatchObject({ socket: expected });
  });
});
