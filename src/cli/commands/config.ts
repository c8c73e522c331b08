import type { Command } from 'commander';
import type { ConfigOptions } from '../run-config.ts';

/** `rind config` */
export function registerConfig(program: Command): void {
  const config = program.command('config').summary('check and show the settings of a server');
  withFile(config.command('check'))
    .summary('say everything that is wrong with them')
    .action(async (options: ConfigOptions) => {
      const { checkConfig } = await import('../run-config.ts');
      process.exitCode = await checkConfig(options);
    });
  withFile(config.command('show'))
    .summary('print what holds and where it comes from, without secrets')
    .action(async (options: ConfigOptions) => {
      const { showConfig } = await import('../run-config.ts');
      process.exitCode = await showConfig(options);
    });
}

function withFile(command: Command): Command {
  return command
    .option('--config <file>', 'the file; otherwise RIND_CONFIG, otherwise rind.toml in the data folder')
    .option('--data <folder>', 'where everything of the index lies (default: rind-data)')
    .option('--json', 'print the result as JSON');
}
