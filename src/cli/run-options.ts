import type { Command } from 'commander';

/** The options of every command that runs an installer. */
export interface RunCommandOptions {
  readonly index?: string;
  readonly allowHost?: readonly string[];
  readonly insteadOfPypi?: boolean;
  readonly offline?: boolean;
  readonly unsafelyDisablePackageVerification?: boolean;
}

/** Adds them; they stand before the installer's own arguments. */
export function addRunOptions(command: Command): Command {
  return command
    .option('--index <url>', 'the trusted index to use, if there are several')
    .option(
      '--allow-host <host>',
      'let connections to this host through although nothing from it is verified; may be repeated',
      (host: string, hosts: readonly string[] | undefined) => [...(hosts ?? []), host],
    )
    .option('--offline', 'ask nobody: use what was verified here before and has not expired')
    .option('--instead-of-pypi', 'answer from the trusted index what is asked of pypi.org')
    .option(
      '--unsafely-disable-package-verification',
      'verify nothing, except projects whose rule is locked; written into the log',
    );
}
