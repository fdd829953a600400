import { setFlagsFromString } from "node:v8";
import {
  type Config,
  ConfigError,
  type Csms,
  createLog,
  DatabaseConnectionError,
  DatabaseInUseError,
  DatabaseTooNewError,
  EmbeddedDatabaseError,
  ListenError,
  loadConfig,
  MigrationError,
  StartError,
  settingDescriptions,
  startCsms,
} from "@polyphase/csms";
import { Command, Option } from "commander";
import { startDemo } from "./demo/demo.ts";
import { DemoFiles } from "./demo/demo-files.ts";

/** Failures that say themselves what the operator has to do; a stack would only hide it. */
const EXPLAINED = [
  ConfigError,
  DatabaseConnectionError,
  DatabaseInUseError,
  DatabaseTooNewError,
  EmbeddedDatabaseError,
  ListenError,
  MigrationError,
  StartError,
];

/**
 * How far V8 lets the heap grow beyond what is alive before it looks for garbage, in percent. By itself it takes up to
 * four times as much where the machine has memory, and gives none of it back while stations are idle: ten thousand of
 * them held twice the memory that they need after a storm of boots.
 */
const HEAP_GROWING_PERCENT = 100;

interface Running {
  close(): Promise<void>;
}

/** `polyphase csms`: runs the management system until it is told to stop. */
export function csmsCommand(version: string): Command {
  const command = new Command("csms").description("run the management system");
  for (const { flag, variable, preset, meaning, rule } of settingDescriptions) {
    const text = `${meaning} (${variable}; ${rule}${preset === undefined ? "" : `; default ${preset}`})`;
    command.addOption(new Option(flag, text));
  }
  command.option("--demo", "add a fleet of stations of every version that charge at two sites");
  return command.action(async ({ demo, ...overrides }: { demo?: boolean } & Record<string, string>) => {
    await run(version, demo === true, overrides);
  });
}

async function run(version: string, demo: boolean, overrides: Readonly<Record<string, string>>): Promise<void> {
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWING_PERCENT}`);
  const started: Running[] = [];
  let stopping: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    const failures: unknown[] = [];
    // The CSMS is closed in good order even when the demo's stations could not be.
    for (const running of started.reverse()) await running.close().catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw new AggregateError(failures, "not everything stopped in good order");
  };
  const stopAndExit = (code: number): void => {
    stopping ??= stop().then(
      () => process.exit(code),
      (error: unknown) => {
        console.error(error);
        process.exit(1);
      },
    );
  };
  // A second signal while the first one is being obeyed ends the process the hard way, as users expect.
  const onSignal = (signal: NodeJS.Signals): void => {
    if (stopping !== undefined) process.exit(1);
    console.log(`${signal}: stopping ...`);
    stopAndExit(0);
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  try {
    // The demo tells its own story; messages of the log would bury it.
    const preset = demo && process.env.POLYPHASE_LOG_LEVEL === undefined ? { logLevel: "error" } : {};
    let config = loadConfig(process.env, { ...preset, ...overrides });
    if (demo && config.adminToken === undefined) {
      const adminToken = await new DemoFiles(config.dataDir).administratorToken();
      config = loadConfig(process.env, { ...preset, ...overrides, adminToken });
    }
    for (const warning of config.warnings) console.error(`warning: ${warning}`);
    console.log(
      config.databaseUrl === undefined ? "starting the embedded database ..." : "connecting to the database ...",
    );
    const csms = await startCsms({ config, log: createLog({ level: config.logLevel }), version });
    started.push(csms);
    void csms.databaseLost.then((error) => {
      console.error(`polyphase: ${error.message}`);
      stopAndExit(1);
    });
    tellAddresses(csms, config, demo);
    if (demo) {
      const { dataDir, adminToken = "" } = config;
      const host = config.host === "0.0.0.0" || config.host === "::" ? "127.0.0.1" : config.host;
      started.push(await startDemo({ csms, host, dataDir, adminToken, tell: (line) => console.log(line) }));
    }
    console.log("ready");
  } catch (error) {
    await stop();
    if (!EXPLAINED.some((kind) => error instanceof kind)) throw error;
    console.error(`polyphase: ${(error as Error).message}`);
    process.exit(1);
  }
}

function tellAddresses(csms: Csms, { host, adminToken }: Config, demo: boolean): void {
  const { httpUrl, ocppPort, ocppTlsPort, setupUrl } = csms;
  const name = new URL(httpUrl).hostname;
  console.log(`stations, JSON   ws://${name}:${ocppPort}/ocpp/{stationId}   (1.2, 1.5, 1.6, 2.0.1, 2.1)`);
  console.log(`stations, SOAP   http://${name}:${ocppPort}/ocpp/soap         (1.2, 1.5, 1.6)`);
  if (ocppTlsPort !== undefined) console.log(`stations, TLS    wss://${name}:${ocppTlsPort}/ocpp/{stationId}`);
  console.log(`API              ${httpUrl}/api/v1   documentation ${httpUrl}/api/docs   status ${httpUrl}/`);
  if (setupUrl !== undefined) console.log(`first administrator: open once ${setupUrl}`);
  // Only the token that the demo made itself is shown: it guards simulated stations.
  if (demo && process.env.POLYPHASE_ADMIN_TOKEN === undefined) console.log(`bearer token     ${adminToken}`);
  if (host === "127.0.0.1") console.log("only this machine can connect; set POLYPHASE_HOST=0.0.0.0 for others");
}
