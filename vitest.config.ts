import { defineConfig } from 'vitest/config';

// unit: beside the code, needs nothing · e2e: our real processes on loopback · field: other people's real programs.
export default defineConfig({
  oxc: { jsx: { runtime: 'automatic' } },
  test: {
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['{proto,config,daemon,agent,tui,scripts,test}/**/*.test.{ts,tsx}'],
          exclude: [
            '**/node_modules/**',
            'test/e2e/**',
            'test/field/**',
            'test/faults/**',
            'test/scripts/**',
          ],
          pool: 'threads',
          isolate: false,
          // A busy machine is no fault of the code.
          testTimeout: 30_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: ['test/{e2e,scripts}/**/*.test.ts'],
          pool: 'forks',
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'field',
          include: ['test/field/**/*.test.ts', 'test/faults/**/*.test.ts'],
          pool: 'forks',
          testTimeout: 300_000,
          hookTimeout: 120_000,
        },
      },
    ],
    maxWorkers: 2,
    coverage: {
      provider: 'v8',
      include: ['proto/**', 'config/**', 'tui/**', 'daemon/**', 'agent/**'],
      exclude: ['proto/gen/**'],
      reporter: ['text-summary', 'lcov'],
    },
    reporters: ['default'],
  },
});
