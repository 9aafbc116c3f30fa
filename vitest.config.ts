import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Tests count descriptors and threads of the whole process: one process a file, one file at a time.
    pool: 'forks',
    fileParallelism: false,
    // Wherever they run there are two of these, so that what they hold is known and hand-overs are tried.
    env: { CANCELPOINT_REACTORS: '2' },
    testTimeout: 30_000,
    hookTimeout: 30_000,
    server: { deps: { external: [/\/dist\//] } },
  },
})
