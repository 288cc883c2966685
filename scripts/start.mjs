// `npm start`: builds, then runs the whole loop on loopback. `-- --help` says what else it can do.
import './need-node.mjs';

if (!process.argv.includes('--no-build')) await import('./build.mjs');
await import('./demo/main.ts');
