import type { Command } from 'commander';
import type { AdoptCommandOptions } from '../run-adopt.ts';
import type { BackupOptions } from '../run-backup.ts';
import type { RebuildCommandOptions, RestoreOptions } from '../run-restore.ts';
import type { RecoverCommandOptions } from '../run-recover.ts';

const DATA = ['--data <folder>', 'where everything of the index lies', 'rind-data'] as const;

/** `rind backup`, `rind restore`, `rind rebuild`, `rind recover`, `rind adopt` */
export function registerRecovery(program: Command): void {
  program
    .command('backup')
    .summary('copy a whole index, also while it serves; again into the same folder: only what is new')
    .argument('<folder>', 'where the backup goes; FILE.tar: everything into one file')
    .option(...DATA)
    .option(
      '--with-keys',
      'with the online key files, encrypted as they are; their passphrase is never copied',
    )
    .action(async (out: string, options: BackupOptions) => {
      const { runBackup } = await import('../run-backup.ts');
      process.exitCode = await runBackup(out, options);
    });
  program
    .command('restore')
    .summary('make a new data folder from a backup; it publishes when it is known what was published since')
    .argument('<backup>', 'the folder of the backup, or its tar file')
    .option(...DATA)
    .option('--published <source>', 'the folder or URL where the index is published: go on from there')
    .action(async (backup: string, options: RestoreOptions) => {
      const { runRestore } = await import('../run-restore.ts');
      process.exitCode = await runRestore(backup, options);
    });
  program
    .command('rebuild')
    .summary('make the database again from the published tree, verified as a client does')
    .option(...DATA)
    .option('--from <source>', 'the published tree, a folder or a URL; default: the tree in the data folder')
    .option('--index <name>', 'which index of the server', '')
    .option('--profile <name>', 'team or pypi', 'team')
    .requiredOption('--fingerprint <hex>', 'of the root that clients trust')
    .option('--root-version <number>', 'the version of that root', '1')
    .action(async (options: RebuildCommandOptions) => {
      const { runRebuild } = await import('../run-restore.ts');
      process.exitCode = await runRebuild(options);
    });
  registerRecover(program);
  registerAdopt(program);
}

function registerAdopt(program: Command): void {
  program
    .command('adopt')
    .summary('make an index of a TUF repository that others made; its clients follow root and come along')
    .argument('<metadata>', 'the folder or URL that holds 1.root.json, timestamp.json and so on')
    .option(...DATA)
    .option('--work <folder>', 'of this adoption: base, ceremony plan, bundle', 'adoption')
    .option('--files <source>', 'folder or URL of the targets; without it they stay where they are')
    .option('--profile <name>', 'team or pypi', 'team')
    .requiredOption('--fingerprint <hex>', 'of the root that clients trust')
    .option('--root-version <number>', 'the version of that root', '1')
    .action(async (source: string, options: AdoptCommandOptions) => {
      const { runAdopt } = await import('../run-adopt.ts');
      process.exitCode = await runAdopt(source, options);
    });
}

function registerRecover(program: Command): void {
  program
    .command('recover')
    .summary('come back after stolen keys or a restored backup; the same command goes on where it was left')
    .argument('[folder]', 'of this recovery: plan, comparison, evidence, ceremony plan, report')
    .option(...DATA)
    .option('--index <name>', 'which index of the server', '')
    .option('--dry-run', 'compare and tell, change nothing')
    .option('--published <source>', 'after a restore: go on from what is published there, a folder or a URL')
    .option(
      '--raise-versions <bundle>',
      'after a restore, when nobody has what was published: with new keys, above all numbers',
    )
    .action(async (folder: string | undefined, options: RecoverCommandOptions) => {
      const { runRecover } = await import('../run-recover.ts');
      process.exitCode = await runRecover(folder, options);
    });
}
