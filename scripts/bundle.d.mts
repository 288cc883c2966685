export const PROGRAMS: Readonly<Record<'master' | 'agent' | 'engine' | 'tui' | 'ctl', string>>;
export function bundle(args: {
  readonly entryPoints: Readonly<Record<string, string>>;
  readonly outdir: string;
  readonly sourcemap?: boolean;
  readonly version?: string | null;
}): Promise<void>;
