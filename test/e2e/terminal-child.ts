// A console in miniature: takes the terminal over, draws, and ends as it is told by a key.
import { writeFileSync } from 'node:fs';
import { openTerminal } from '../../tui/terminal/terminal.ts';

const terminal = openTerminal(
  { fd: 1, probeMs: 100, askWidth: true },
  {
    proc: process,
    input: process.stdin,
    output: process.stdout,
    tell: (line) => process.stderr.write(`${line}\n`),
    onGone: () => process.exit(3),
  },
);
let n = 0;
const draw = (what: string) => {
  n += 1;
  terminal.stdout.write(`frame ${n} ${what} at ${terminal.size().width}x${terminal.size().height}\n`);
};
/** A screenful that shares nothing with the one before. */
const flood = () =>
  draw(`flood\n${Array.from({ length: 19 }, (_, y) => `${n * 31 + y} `.repeat(16).slice(0, 99)).join('\n')}`);
// Whether the loop still turns: it says which frame it is at.
process.on('SIGUSR2', () => writeFileSync(process.env['ALIVE'] ?? '/dev/null', String(n)));
terminal.stdout.on('resize', () => draw('resized'));
terminal.listen((e) => {
  if (e.kind === 'paste') draw(`paste(${e.text})`);
  if (e.kind !== 'key') return;
  if (e.char === 'q') {
    terminal.close();
    process.exit(0);
  }
  if (e.char === 'F') setInterval(flood, 2);
  if (e.char === 'X') throw new Error('a fault in the console');
  if (e.char === 'P') void Promise.reject(new Error('a promise nobody kept'));
  if (e.char === 'z' && e.ctrl) {
    terminal.modes.stop();
    return;
  }
  draw(e.name ?? e.char);
});
draw(`started, pid ${process.pid}`);
