import type { Command } from 'commander';

export interface HoldOptions {
  readonly out: string;
  readonly secret: string;
  readonly answers?: string;
  readonly rehearsal?: boolean;
  readonly from?: string;
  readonly only?: readonly string[];
}

export interface ImportOptions {
  readonly data: string;
  readonly index: string;
  readonly rootGrace: string;
}

export interface BackupOptions {
  readonly out: string;
  readonly onlineOnly?: boolean;
}

export interface OnlineKeyOptions {
  readonly data: string;
  readonly index?: string;
  readonly out: string;
  readonly another?: boolean;
  readonly key?: string;
  readonly secret?: string;
}

const SOURCES = 'terminal, file:PATH, fd:NUMBER, credential:NAME';
const SECRET = `where passphrases and PINs come from: ${SOURCES}`;

/** `rind ceremony` */
export function registerCeremony(program: Command): void {
  const ceremony = program.command('ceremony').summary('make, renew and import what the offline keys sign');
  registerHolding(ceremony);
  ceremony
    .command('verify')
    .summary('verify a bundle file by file, every signature and threshold, and the minutes')
    .argument('<bundle>', 'its folder')
    .action(async (bundle: string) => {
      const { verify } = await import('../verify-bundle.ts');
      process.exitCode = await verify(bundle);
    });
  registerServerSide(ceremony);
  ceremony
    .command('backup')
    .summary(
      'copy a bundle for safe keeping: with the encrypted key files of its plan, or what the server needs alone',
    )
    .argument('<bundle>', 'its folder')
    .requiredOption('--out <folder>', 'a folder that does not exist yet')
    .option('--online-only', 'without key files, plan and minutes')
    .action(async (bundle: string, options: BackupOptions) => {
      const { backUp } = await import('../back-up-bundle.ts');
      process.exitCode = await backUp(bundle, options);
    });
}

function registerHolding(ceremony: Command): void {
  ceremony
    .command('plan')
    .summary(
      'check a plan and show what it costs in bytes and in signatures; asks for a new one when there is none',
    )
    .argument('<plan>', 'a file, TOML or JSON')
    .option('--json', 'print it as JSON')
    .action(async (plan: string, options: { readonly json?: boolean }) => {
      const { showPlan } = await import('../show-plan.ts');
      process.exitCode = await showPlan(plan, options.json === true);
    });
  ceremony
    .command('run')
    .summary(
      'the first ceremony, without network: one plan in, one bundle out; the same command goes on where it was left',
    )
    .argument('<plan>', 'a file, TOML or JSON')
    .requiredOption('--out <bundle>', 'the folder of the bundle; never overwritten')
    .option('--secret <source>', SECRET, 'terminal')
    .option('--answers <file>', 'TOML with answers to the questions for people')
    .option('--rehearsal', 'for practice: the bundle can never be imported')
    .action(async (plan: string, options: HoldOptions) => {
      const { hold } = await import('../hold-ceremony.ts');
      process.exitCode = await hold(plan, options);
    });
  ceremony
    .command('renew')
    .summary('one bundle for every later change: yearly renewal, other keys, thresholds, bins, layout')
    .argument('<plan>', 'a file, TOML or JSON: how it is to be')
    .requiredOption('--from <folder>', 'the present roles: rind ceremony export, or the bundle before')
    .requiredOption('--out <bundle>', 'the folder of the bundle; never overwritten')
    .option('--only <role...>', 'change these roles alone: bins, when their keys were kept')
    .option('--secret <source>', SECRET, 'terminal')
    .option('--answers <file>', 'TOML with answers to the questions for people')
    .option('--rehearsal', 'for practice: the bundle can never be imported')
    .action(async (plan: string, options: HoldOptions) => {
      const { hold } = await import('../hold-ceremony.ts');
      process.exitCode = await hold(plan, options);
    });
}

function registerServerSide(ceremony: Command): void {
  ceremony
    .command('import')
    .summary('give a bundle to the index: makes its repository, or changes it while the server runs')
    .argument('<bundle>', 'its folder')
    .option('--data <folder>', 'where everything of the index lies', 'rind-data')
    .option('--index <name>', 'which index of the server', '')
    .option(
      '--root-grace <seconds>',
      'how long a new root is public before the rest, when no server runs',
      '60',
    )
    .action(async (bundle: string, options: ImportOptions) => {
      const { importBundle } = await import('../import-bundle.ts');
      process.exitCode = await importBundle(bundle, options);
    });
  ceremony
    .command('export')
    .summary('write the present root, targets, claimed and bins to a folder, for a renewal')
    .option('--data <folder>', 'where everything of the index lies', 'rind-data')
    .option('--index <name>', 'which index of the server', '')
    .requiredOption('--out <folder>', 'a folder that does not exist yet')
    .action(async (options: { readonly data: string; readonly index: string; readonly out: string }) => {
      const { exportRoles } = await import('../export-roles.ts');
      process.exitCode = await exportRoles(options);
    });
  ceremony
    .command('online-key')
    .summary("make or name the server's online key and write its public half for the plan")
    .option('--data <folder>', 'where everything of the index lies', 'rind-data')
    .option('--index <name>', 'which index of the server', '')
    .requiredOption('--out <file>', 'the public key file')
    .option('--another', 'make one more, to replace the present one in two renewals')
    .option('--key <uri>', 'make none, but take this one: hsm:…, awskms:…, hv:…, signer:PATH, and so on')
    .option('--secret <source>', `its passphrase or PIN at every start: ${SOURCES}`)
    .action(async (options: OnlineKeyOptions) => {
      const { makeOnlineKey } = await import('../make-online-key.ts');
      process.exitCode = await makeOnlineKey(options);
    });
}
