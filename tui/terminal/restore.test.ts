import { EventEmitter } from 'node:events';
import { describe, expect, test } from 'vitest';
import { ENTER, LEAVE, TerminalModes } from './restore.ts';

function setup(over: { writeSync?: () => void } = {}) {
  const log: string[] = [];
  const events = new EventEmitter();
  const modes = new TerminalModes({
    proc: {
      pid: 42,
      on: (e, fn) => events.on(e, fn),
      off: (e, fn) => events.off(e, fn),
      exit: (code) => log.push(`exit ${code}`),
      kill: (pid, signal) => log.push(`kill ${pid} ${signal}`),
    },
    setRawMode: (on) => log.push(`raw ${on}`),
    writeSync: over.writeSync ?? ((d) => log.push(d === ENTER ? 'enter' : d === LEAVE ? 'leave' : d)),
    tell: (line) => log.push(`tell ${line.split('\n')[1]}`),
    onResume: () => log.push('repaint'),
    onExit: () => log.push('bye'),
  });
  return { log, events, modes };
}

describe('every way out gives the terminal back', () => {
  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
    ['SIGQUIT', 131],
  ])('%s', (signal, code) => {
    const s = setup();
    s.modes.enter();
    s.events.emit(signal);
    expect(s.log).toEqual(['raw true', 'enter', 'bye', 'leave', 'raw false', `exit ${code}`]);
  });

  test.each(['uncaughtException', 'unhandledRejection'])(
    '%s: told after the screen is theirs again',
    (event) => {
      const s = setup();
      s.modes.enter();
      const e = new Error('boom');
      e.stack = 'Error: boom';
      s.events.emit(event, e);
      expect(s.log).toEqual(['raw true', 'enter', 'bye', 'leave', 'raw false', 'tell Error: boom', 'exit 1']);
    },
  );

  test('an exit by anybody', () => {
    const s = setup();
    s.modes.enter();
    s.events.emit('exit');
    s.modes.leave();
    expect(s.log).toEqual(['raw true', 'enter', 'leave', 'raw false']);
    expect(s.events.eventNames()).toEqual([]);
  });

  test('a terminal that is gone does not keep raw mode from ending', () => {
    let writes = 0;
    const s = setup({
      writeSync: () => {
        writes += 1;
        if (writes > 1) throw new Error('EIO');
      },
    });
    s.modes.enter();
    s.events.emit('SIGHUP');
    expect(s.log).toEqual(['raw true', 'bye', 'raw false', 'exit 129']);
  });
});

describe('stopped and continued', () => {
  test('the shell gets its terminal; coming back paints whole', () => {
    const s = setup();
    s.modes.enter();
    s.events.emit('SIGTSTP');
    expect(s.log.splice(0)).toEqual(['raw true', 'enter', 'leave', 'raw false', 'kill 42 SIGSTOP']);
    s.events.emit('SIGCONT');
    expect(s.log.splice(0)).toEqual(['raw true', 'enter', 'repaint']);
    s.events.emit('SIGCONT');
    expect(s.log).toEqual([]);
  });

  test('ended while another program has the terminal: it is not touched', () => {
    const s = setup();
    s.modes.enter();
    s.modes.suspend();
    s.log.splice(0);
    s.events.emit('SIGTERM');
    expect(s.log).toEqual(['bye', 'exit 143']);
  });
});
