import { readFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { processorSeconds } from "./processor-time.ts";

const TICKS_PER_SECOND = 100;

/** Seconds that all processors together were busy since the machine started. Linux only. */
function busySeconds(): number {
  const [line = ""] = readFileSync("/proc/stat", "utf8").split("\n", 1);
  const [user = 0, nice = 0, system = 0, , , irq = 0, softIrq = 0, steal = 0] = line
    .replace(/^cpu +/, "")
    .split(" ")
    .map(Number);
  return (user + nice + system + irq + softIrq + steal) / TICKS_PER_SECOND;
}

function ownSeconds(): number {
  const { own, below } = processorSeconds(process.pid);
  return own + below;
}

/** Watches what others do on the machine while something is measured, since it disturbs rates and times. */
export function watchMachine(): () => string {
  const begin = performance.now();
  const busy = busySeconds();
  const own = ownSeconds();
  return () => {
    const seconds = (performance.now() - begin) / 1_000;
    const others = Math.max(0, busySeconds() - busy - (ownSeconds() - own));
    const cores = cpus().length;
    const [load = 0] = loadavg();
    return (
      `${cores} cores (${cpus()[0]?.model.trim() ?? "unknown"}), Node.js ${process.version}; ` +
      `others used ${((others / seconds) * 100).toFixed(0)} % of a core meanwhile; load average ${load.toFixed(1)}.`
    );
  };
}
