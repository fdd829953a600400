import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

// "import" must not be named: it would reach `require` inside dependencies and hand them modules they cannot call.
const conditions = ["@polyphase/source", "module", "node"];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ["packages/*/src/**/*.test.ts", "packages/*/generate/**/*.test.ts", "tests/**/*.test.ts"],
    globalSetup: ["tests/global-setup.ts"],
    // Nothing here keeps global state, so test files share the modules that a worker has loaded.
    isolate: false,
    // Many tests wait for sockets and processes: even two cores keep two workers busy.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    // Far beyond what a slow machine needs: time limits end what hangs, and decide nothing else.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    expect: { poll: { timeout: 60_000, interval: 20 } },
  },
});
