// Bundles the five programs into dist/: one file each, nothing to install beside them but what stays external.
import './need-node.mjs';

const { build } = await import('esbuild');
const noDevtools = {
  name: 'no-devtools',
  setup(b) {
    b.onResolve({ filter: /^react-devtools-core$/ }, () => ({ path: 'x', namespace: 'no-devtools' }));
    b.onLoad({ filter: /.*/, namespace: 'no-devtools' }, () => ({ contents: 'export default {}' }));
  },
};
await build({
  entryPoints: {
    master: 'daemon/main.ts',
    agent: 'agent/main.ts',
    engine: 'agent/engine/embedded/main.ts',
    tui: 'tui/main.tsx',
    ctl: 'tui/ctl/main.ts',
  },
  outdir: 'dist',
  outExtension: { '.js': '.mjs' },
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node22',
  jsx: 'automatic',
  sourcemap: 'linked',
  legalComments: 'none',
  logLevel: 'warning',
  define: { 'process.env.NODE_ENV': '"production"' },
  plugins: [noDevtools],
  banner: {
    // Bundled CommonJS packages still call require; ESM has none.
    js: "#!/usr/bin/env node\nimport{createRequire as __cr}from'node:module';import{fileURLToPath as __fu}from'node:url';import{dirname as __dn}from'node:path';const require=__cr(import.meta.url),__filename=__fu(import.meta.url),__dirname=__dn(__filename);",
  },
});
