import { InvalidArgumentError, type Command } from 'commander';
import type { ServeOptions } from '../serve-settings.ts';

/** `rind serve` */
export function registerServe(program: Command): void {
  program
    .command('serve')
    .summary('run an index')
    .description(
      'Runs an index with the embedded store. In an empty folder the first start makes a signed trial repository.',
    )
    .option('--config <file>', 'settings; otherwise RIND_CONFIG, otherwise rind.toml in the data folder')
    .option('--data <folder>', 'where everything of the index lies (default: rind-data)')
    .option('--host <address>', 'address to listen on (default: 127.0.0.1)')
    .option('--port <number>', 'port to listen on; 0 takes any that is free (default: 8458)', parsePort)
    .option('--public-url <url>', 'the URL people use, when a reverse proxy is in front', parsePublicUrl)
    .option(
      '--reminders <url>',
      'post reminders of renewals and signing windows there, as JSON',
      parseWebhook,
    )
    .option('--heads-file <path>', 'append the heads of the public log there, best on another machine')
    .option(
      '--heads-webhook <url>',
      'post them there; /api/v1/witness of another rind keeps them',
      parseWebhook,
    )
    .option('--archive <folder>', 'keep an archive of all metadata and target hashes there, daily')
    .option(
      '--trust-clock',
      'sign although the clock contradicts what was signed before, because it is right now',
    )
    .action(async (options: ServeOptions) => {
      const { serve } = await import('../serve.ts');
      process.exitCode = await serve(options);
    });
}

function parsePort(text: string): number {
  const port = Number(text);
  if (!/^[0-9]{1,5}$/.test(text) || port > 65_535)
    throw new InvalidArgumentError('A port is a number from 0 to 65535.');
  return port;
}

function parseWebhook(text: string): string {
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return text;
  throw new InvalidArgumentError('A webhook is a URL that begins with http:// or https://.');
}

function parsePublicUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (
    url === undefined ||
    !['http:', 'https:'].includes(url.protocol) ||
    url.search !== '' ||
    url.hash !== '' ||
    url.username !== ''
  )
    throw new InvalidArgumentError(
      'A public URL begins with http:// or https:// and has no user, query or fragment.',
    );
  return url.href.endsWith('/') ? url.href : `${url.href}/`;
}
