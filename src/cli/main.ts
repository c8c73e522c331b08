#!/usr/bin/env node
/** `rind`: reads the command line, runs one command, ends with its exit code. */
import { Command, CommanderError } from 'commander';
import { registerArchive } from './commands/archive.ts';
import { registerAudit } from './commands/audit.ts';
import { registerCeremony } from './commands/ceremony.ts';
import { registerCompletion } from './commands/completion.ts';
import { registerConfig } from './commands/config.ts';
import { registerEvent, registerSign } from './commands/event.ts';
import { registerClaim } from './commands/claim.ts';
import { registerClaims } from './commands/claims.ts';
import { registerClient } from './commands/client.ts';
import { registerDoctor, registerInspect, registerVerify, registerWhy } from './commands/explain.ts';
import { registerFsck } from './commands/fsck.ts';
import { registerGc } from './commands/gc.ts';
import { registerImport } from './commands/import.ts';
import { registerIndex, registerPromote } from './commands/index.ts';
import { registerHashes } from './commands/hashes.ts';
import { registerKey } from './commands/key.ts';
import { registerDownload, registerLock } from './commands/lock.ts';
import { registerInstallers, registerPip } from './commands/pip.ts';
import { registerMirror } from './commands/mirror.ts';
import { registerProject } from './commands/project.ts';
import { registerProxy } from './commands/proxy.ts';
import { registerRecovery } from './commands/recovery.ts';
import { registerRun } from './commands/run.ts';
import { registerServe } from './commands/serve.ts';
import { registerSigner } from './commands/signer.ts';
import { registerTakedown } from './commands/takedown.ts';
import { registerToken } from './commands/token.ts';
import { registerTrust } from './commands/trust.ts';
import { registerWebhook } from './commands/webhook.ts';
import { registerWitness } from './commands/witness.ts';
import { registerAccess, registerProjectRoles, registerPublisher, registerUser } from './commands/user.ts';
import { EXIT } from './exit-codes.ts';
import { packageVersion } from './package-version.ts';
import { reportError } from './terminal.ts';

/** Every command, in the order of `rind --help`. */
const COMMANDS: readonly ((program: Command) => void)[] = [
  registerServe,
  registerConfig,
  registerToken,
  registerUser,
  registerAccess,
  registerPublisher,
  registerProject,
  registerProjectRoles,
  registerTakedown,
  registerClaims,
  registerIndex,
  registerPromote,
  registerFsck,
  registerRecovery,
  registerAudit,
  registerArchive,
  registerWitness,
  registerWebhook,
  registerImport,
  registerGc,
  registerHashes,
  registerCeremony,
  registerSign,
  registerEvent,
  registerKey,
  registerClaim,
  registerSigner,
  registerTrust,
  registerPip,
  registerInstallers,
  registerRun,
  registerLock,
  registerDownload,
  registerProxy,
  registerClient,
  registerWhy,
  registerDoctor,
  registerVerify,
  registerInspect,
  registerMirror,
  registerCompletion,
];

/** Those that people wait for while they install: nothing else is made ready. */
const INSTALLING: ReadonlyMap<string, (program: Command) => void> = new Map([
  ['run', registerRun],
  ['pip', registerPip],
  ...['uv', 'poetry', 'pdm', 'pipenv'].map((tool) => [tool, registerInstallers] as const),
]);

function createProgram(first: string | undefined): Command {
  const program = new Command('rind')
    .description('A Python package index whose every byte can be verified, and the client that verifies it.')
    .version(packageVersion(), '--version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand(false)
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(text.replace(/\.?\n$/, '\n')) })
    .showHelpAfterError('hint: add --help to see what can be said here');
  const installing = INSTALLING.get(first ?? '');
  for (const register of installing === undefined ? COMMANDS : [installing]) register(program);
  return program;
}

try {
  await createProgram(process.argv[2]).parseAsync();
} catch (error) {
  // Commander has said what was wrong with the command line; --help and --version come this way too, with 0.
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  else process.exitCode = reportError(error);
}
