// A console in miniature: takes the terminal over, draws, and ends as it is told by a key.
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
terminal.stdout.on('resize', () => draw('resized'));
terminal.listen((e) => {
  if (e.kind === 'paste') draw(`paste(${e.text})`);
  if (e.kind !== 'key') return;
  if (e.char === 'q') {
    terminal.close();
    process.exit(0);
  }
  if (e.char === 'X') throw new Error('a fault in the console');
  if (e.char === 'P') void Promise.reject(new Error('a promise nobody kept'));
  if (e.char === 'z' && e.ctrl) {
    terminal.modes.stop();
    return;
  }
  draw(e.name ?? e.char);
});
draw(`started, pid ${process.pid}`);
