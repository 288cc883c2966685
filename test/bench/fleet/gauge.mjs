// Put before a program (`--import …/gauge.mjs?file=…`): a line four times a second of what it costs and how late its loop
// is. With `profile=DIR`, SIGUSR2 begins and ends a CPU profile of V8's.

import { appendFileSync, writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';
import { monitorEventLoopDelay } from 'node:perf_hooks';

const settings = new URL(import.meta.url).searchParams;
const file = settings.get('file');
const dir = settings.get('profile');
if (dir !== null) {
  const session = new Session();
  session.connect();
  session.post('Profiler.enable');
  let n = 0;
  process.on('SIGUSR2', () => {
    n += 1;
    if (n % 2 === 1) session.post('Profiler.start');
    else {
      session.post('Profiler.stop', (_error, { profile }) =>
        writeFileSync(`${dir}/${process.pid}-${n / 2}.cpuprofile`, JSON.stringify(profile)),
      );
    }
  });
}
writeFileSync(file, '');
const delay = monitorEventLoopDelay({ resolution: 5 });
delay.enable();
setInterval(() => {
  const { user, system } = process.cpuUsage();
  const late = delay.max / 1e6;
  delay.reset();
  appendFileSync(
    file,
    `${JSON.stringify({ at: Date.now(), cpuMs: (user + system) / 1000, rss: process.memoryUsage.rss(), late })}\n`,
  );
}, 250).unref();
