import { defineConfig } from 'vitest/config';

/** Unit tests lie beside the source; whatever needs more than one folder, a process or a network lies in `test/`. */
export default defineConfig({
  test: {
    // Much of the time goes into waiting for the disk: more workers than the default on two cores.
    maxWorkers: 3,
    // For `npm run coverage` and `npm test`: the ground floor of the trust, where an untested branch is a hole.
    coverage: {
      provider: 'v8',
      include: ['src/tuf/**', 'src/updater/**'],
      exclude: ['**/*.test.ts'],
      reporter: ['text', 'json'],
      thresholds: { branches: 98 },
    },
    projects: [
      {
        test: {
          name: 'unit',
          include: ['src/**/*.test.ts', 'src/**/*.test.tsx'],
          setupFiles: ['test/support/property-seed.ts'],
          testTimeout: 180_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'integration',
          include: ['test/**/*.test.ts'],
          setupFiles: ['test/support/property-seed.ts'],
          testTimeout: 600_000,
          hookTimeout: 600_000,
          // Most of the time is waiting for processes and disks; each file has its own ports and folders.
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
