import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { stateFolder } from '../proxy/trust-store.ts';
import { CliError } from './cli-error.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { FileChanges, type Undone } from './file-changes.ts';
import { installerHints, installerSettings, type InstallerSettings } from './installer-settings.ts';
import { lineDifference } from './line-difference.ts';
import { serviceAddress, serviceUrl } from './proxy-service.ts';
import { TerminalQuestions } from './terminal-questions.ts';
import { say } from './terminal.ts';

export interface SetupOptions {
  readonly undo?: boolean;
  readonly yes?: boolean;
  /** Names of the tools; without it all. */
  readonly tools?: readonly string[];
}

interface Planned {
  readonly settings: InstallerSettings;
  readonly present: string;
  readonly after: string;
}

/**
 * `rind client setup`: points pip, uv and pdm to the proxy that keeps running, and takes out what would go around it. What changes is
 * shown and asked for first; `--undo` puts everything back byte for byte.
 */
export async function setUpClient(options: SetupOptions): Promise<ExitCode> {
  const changes = new FileChanges(join(stateFolder(process.env, homedir()), 'client-setup'));
  if (options.undo === true) return undo(await changes.undo());
  const url = serviceUrl(await serviceAddress());
  const plan = await planOf(changes, url, options.tools);
  for (const { settings, present, after } of plan) {
    say(`${settings.path} (${settings.tool}):`);
    for (const line of lineDifference(present, after)) say(`  ${withoutPassword(line)}`);
  }
  if (plan.length === 0) say('everything is set up already');
  else if (options.yes !== true && !(await isAgreed())) {
    say('nothing was changed');
    return EXIT.failure;
  }
  for (const { settings, after } of plan) {
    await changes.replace(settings.path, after);
    say(`wrote ${settings.path}`);
  }
  for (const hint of installerHints(url)) say(`hint: ${hint}`);
  if (plan.length > 0) say('hint: rind client setup --undo puts everything back');
  return EXIT.ok;
}

async function planOf(
  changes: FileChanges,
  url: string,
  tools: readonly string[] | undefined,
): Promise<readonly Planned[]> {
  const known = installerSettings(process.env, homedir());
  const unknown = tools?.find((tool) => !known.some((settings) => settings.tool === tool));
  if (unknown !== undefined)
    throw new CliError('usage', `There is no file to set up for ${unknown}: pip, uv and pdm have one.`);
  const plan: Planned[] = [];
  for (const settings of known) {
    if (tools !== undefined && !tools.includes(settings.tool)) continue;
    const present = await readFile(settings.path, 'utf8').catch(absentAsEmpty);
    // A second set-up, say at another port, starts from what stood there before the first.
    const after = settings.edit((await changes.before(settings.path)) ?? present, url);
    if (after !== present) plan.push({ settings, present, after });
  }
  return plan;
}

function undo(undone: readonly Undone[]): ExitCode {
  if (undone.length === 0) say('nothing was set up');
  for (const { path, outcome } of undone) {
    if (outcome === 'restored') say(`${path} is as it was before`);
    else if (outcome === 'removed') say(`${path} is gone, as before`);
    else if (outcome === 'unchanged') say(`${path} was put back already`);
    else say(`warning: ${path} was changed since, so it is left alone; take index-url of rind out by hand`);
  }
  return undone.some(({ outcome }) => outcome === 'changed-since') ? EXIT.failure : EXIT.ok;
}

async function isAgreed(): Promise<boolean> {
  const questions = TerminalQuestions.open();
  if (questions === undefined) {
    throw new CliError('usage', 'Nobody is at a terminal to agree to this.', [
      '--yes agrees; nothing was changed',
    ]);
  }
  try {
    return /^y(?:es)?$/i.test(await questions.ask('Change these files? [y/N]'));
  } finally {
    questions.close();
  }
}

function withoutPassword(line: string): string {
  return line.replace(/\/\/[^/@\s]*@/g, '//***@');
}

function absentAsEmpty(error: unknown): string {
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
  throw error;
}
