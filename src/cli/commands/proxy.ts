import { InvalidArgumentError, type Command } from 'commander';
import type { ProxyCommandOptions } from '../keep-proxy-running.ts';

/** `rind proxy [install|uninstall]` */
export function registerProxy(program: Command): void {
  const proxy = program
    .command('proxy')
    .enablePositionalOptions()
    .summary('keep a verified index running on this machine')
    .description(
      'Prints the URL of an index on 127.0.0.1 that holds verified packages only, and serves it until it is ended.\n' +
        'For tools that rind run cannot start: IDEs, notebooks, poetry. What does not verify is refused to them.\n' +
        'The URL without simple/ is a page that tells what was refused and why.',
    )
    .option('--port <number>', 'port on 127.0.0.1; 0 takes any that is free', parsePort, 0)
    .option('--index <url>', 'the trusted index to use, if there are several')
    .option('--project <folder>', 'the folder whose [tool.rind] counts, instead of the working folder')
    .option('--session <minutes>', 'how old a snapshot of the index may become', parseMinutes, 10)
    .option('--service', 'keep to the port and path chosen at set-up')
    .action(async (options: ProxyCommandOptions) => {
      const { keepProxyRunning } = await import('../keep-proxy-running.ts');
      process.exitCode = await keepProxyRunning(options);
    });
  registerInstall(proxy);
  registerUninstall(proxy);
}

function registerInstall(proxy: Command): void {
  proxy
    .command('install')
    .description('Sets the proxy up as a service of this user that systemd starts with the first connection.')
    .requiredOption('--user', 'for this user (the only way there is)')
    .option('--port <number>', 'port on 127.0.0.1; without it one that is free is chosen once', parsePort, 0)
    .option('--project <folder>', 'the folder whose [tool.rind] counts')
    .option('--no-start', 'write the units alone')
    .action(async (options: { port: number; project?: string; start: boolean }) => {
      const { installService } = await import('../proxy-service.ts');
      await installService(options);
    });
}

function registerUninstall(proxy: Command): void {
  proxy
    .command('uninstall')
    .description('Stops the service and removes its units.')
    .requiredOption('--user', 'for this user (the only way there is)')
    .option('--no-start', 'remove the units alone')
    .action(async (options: { start: boolean }) => {
      const { uninstallService } = await import('../proxy-service.ts');
      await uninstallService(options);
    });
}

function parseMinutes(text: string): number {
  if (!/^[1-9][0-9]{0,4}$/.test(text)) throw new InvalidArgumentError('A session lasts at least 1 minute.');
  return Number(text);
}

function parsePort(text: string): number {
  const port = Number(text);
  if (!/^[0-9]{1,5}$/.test(text) || port > 65_535)
    throw new InvalidArgumentError('A port is a number from 0 to 65535.');
  return port;
}
