#!/usr/bin/env node
import { readFile } from "node:fs/promises";
import { stationCommand } from "@polyphase/station";
import { Command } from "commander";
import { csmsCommand } from "./csms-command.ts";

const manifest = new URL("../package.json", import.meta.url);
const { version } = JSON.parse(await readFile(manifest, "utf8")) as { version: string };

const program = new Command("polyphase")
  .description("Every OCPP version: a management system and simulated charging stations")
  .version(version)
  .addCommand(csmsCommand(version))
  .addCommand(stationCommand());

await program.parseAsync();
