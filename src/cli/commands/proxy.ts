import { InvalidArgumentError, type Command } from 'commander';

interface ProxyCommandOptions {
  readonly port: number;
  readonly index?: string;
}

/** `rind proxy` */
export function registerProxy(program: Command): void {
  program
    .command('proxy')
    .summary('keep a verified index running on this machine')
    .description(
      'Prints the URL of an index on 127.0.0.1 that holds verified packages only, and serves it until it is ended.\n' +
        'For tools that rind run cannot start: IDEs, notebooks, poetry. What does not verify is refused to them.',
    )
    .option('--port <number>', 'port on 127.0.0.1; 0 takes any that is free', parsePort, 0)
    .option('--index <url>', 'the trusted index to use, if there are several')
    .action(async (options: ProxyCommandOptions) => {
      const { keepProxyRunning } = await import('../keep-proxy-running.ts');
      process.exitCode = await keepProxyRunning(options);
    });
}

function parsePort(text: string): number {
  const port = Number(text);
  if (!/^[0-9]{1,5}$/.test(text) || port > 65_535)
    throw new InvalidArgumentError('A port is a number from 0 to 65535.');
  return port;
}
