// Bundles the five programs into dist/.
import './need-node.mjs';

const { bundle, PROGRAMS } = await import('./bundle.mjs');
await bundle({ entryPoints: PROGRAMS, outdir: 'dist' });
