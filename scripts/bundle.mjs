// One file a program, nothing to install beside it.
const noDevtools = {
  name: 'no-devtools',
  setup(b) {
    b.onResolve({ filter: /^react-devtools-core$/ }, () => ({ path: 'x', namespace: 'no-devtools' }));
    b.onLoad({ filter: /.*/, namespace: 'no-devtools' }, () => ({ contents: 'export default {}' }));
  },
};

/** For a release that calls itself otherwise than its tree does: an upgrade needs two of them. */
const called = (version) => ({
  name: 'called',
  setup(b) {
    b.onLoad({ filter: /\/proto\/vocab\/version\.ts$/ }, () => ({
      contents: `export const VERSION = ${JSON.stringify(version)};`,
      loader: 'ts',
    }));
  },
});

export const PROGRAMS = {
  master: 'daemon/main.ts',
  agent: 'agent/main.ts',
  engine: 'agent/engine/embedded/main.ts',
  tui: 'tui/main.tsx',
  ctl: 'tui/ctl/main.ts',
};

/** `entryPoints`: sources by the name of their bundle. `version`: null says what the sources say. */
export async function bundle({ entryPoints, outdir, sourcemap = true, version = null }) {
  const { build } = await import('esbuild');
  await build({
    entryPoints,
    outdir,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node22',
    jsx: 'automatic',
    sourcemap: sourcemap ? 'linked' : false,
    legalComments: 'none',
    logLevel: 'warning',
    define: { 'process.env.NODE_ENV': '"production"' },
    plugins: version === null ? [noDevtools] : [noDevtools, called(version)],
    banner: {
      // Bundled CommonJS packages still call require; ESM has none.
      js: "#!/usr/bin/env node\nimport{createRequire as __cr}from'node:module';import{fileURLToPath as __fu}from'node:url';import{dirname as __dn}from'node:path';const require=__cr(import.meta.url),__filename=__fu(import.meta.url),__dirname=__dn(__filename);",
    },
  });
}
