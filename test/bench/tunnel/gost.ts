import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePorts } from '../../../scripts/demo/ports.ts';
import { filled, type Ground, ownDir, type Peer, startProgram } from './peers.ts';

const HOST = '127.0.0.1';

/**
 * The real gost, one hop and two over relay and mtls. Not run yet where this was written, for want of the program:
 * flags and files are from its documentation and sources.
 */
export function gostPeers(program: string): readonly Peer[] {
  const ask = async (ground: Ground, template: string, more: Record<string, string | number>) => {
    const file = join(await ownDir(ground, 'gost'), template);
    await writeFile(file, await filled(template, { ...more, ...ground.tls }));
    return startProgram([program, '-C', file], Number(more['port']));
  };
  const tool = { command: program, apt: 'GOST_BIN has to be the path of a gost v3' };
  return [
    {
      name: 'gost',
      hops: 1,
      tool,
      start: async ({ origins }) => {
        const [port = 0] = await freePorts(1);
        const running = await startProgram([program, '-L', `tcp://:${port}/${HOST}:${origins[0]}`], port);
        return { port, tlsPort: null, processes: [running] };
      },
    },
    {
      name: 'gost mtls',
      hops: 2,
      tool,
      start: async (ground) => {
        const [port = 0, core = 0] = await freePorts(2);
        const far = await ask(ground, 'gost-core.yml', { port: core, origin: ground.origins[0] as number });
        const near = await ask(ground, 'gost-edge.yml', { port, core });
        return { port, tlsPort: null, processes: [near, far] };
      },
    },
  ];
}
