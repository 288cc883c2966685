import { readFileSync } from 'node:fs';

/** For a process whose memory is to be looked at: `NODE_OPTIONS`. Where it listens is in its log. */
export const INSPECTED = '--inspect=127.0.0.1:0';

/** Makes such a process collect what it does not need any more: what is left is what it keeps. */
export async function collectGarbage(logFile: string): Promise<void> {
  const url = /ws:\/\/127\.0\.0\.1:\d+\/\S+/.exec(readFileSync(logFile, 'utf8'))?.[0];
  if (!url) throw new Error(`${logFile} does not say where its inspector listens`);
  const socket = new WebSocket(url);
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener('error', () => reject(new Error(`${url} cannot be reached`)));
    socket.addEventListener('open', () => socket.send('{"id":1,"method":"HeapProfiler.collectGarbage"}'));
    socket.addEventListener('message', () => resolve());
  });
  socket.close();
}
