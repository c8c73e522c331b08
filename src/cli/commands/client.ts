import type { Command } from 'commander';
import type { BundleOptions } from '../client-bundle.ts';
import type { SetupOptions } from '../client-setup.ts';

/** `rind client setup|bundle` */
export function registerClient(program: Command): void {
  const client = program
    .command('client')
    .summary('set up installers, and make packages that carry trust')
    .description('For machines on which pip, uv and pdm are to be verified without saying rind.');
  client
    .command('setup')
    .description(
      'Points pip, uv and pdm of this user to the proxy that keeps running (rind proxy install --user).\n' +
        'Shows what would change in their files, asks, and remembers what was there.',
    )
    .option('--undo', 'put everything back byte for byte')
    .option('--yes', 'do not ask')
    .option('--tools <names...>', 'pip, uv, pdm; without it all of them')
    .action(async (options: SetupOptions) => {
      const { setUpClient } = await import('../client-setup.ts');
      process.exitCode = await setUpClient(options);
    });
  client
    .command('bundle')
    .description('Makes a Python package with the URLs, roots and rules of the indexes this user trusts.')
    .requiredOption('--name <name>', 'name of the package, for example acme-rind-trust')
    .option('--release <version>', 'version of the package', '1.0')
    .option('--settings <file>', 'a rind.toml with routes and rules to carry')
    .option('--output <folder>', 'where the wheel is written', '.')
    .action(async (options: BundleOptions) => {
      const { writeBundle } = await import('../client-bundle.ts');
      await writeBundle(options);
    });
}
