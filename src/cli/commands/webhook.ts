import { Option, type Command } from 'commander';
import type { DeliverySummary } from '../../registry/webhooks.ts';
import type { WebhookOptions } from '../webhooks.ts';

/** `rind webhook` */
export function registerWebhook(program: Command): void {
  const webhook = program.command('webhook').summary('tell other programs of every publication, signed');
  common(webhook.command('add'))
    .summary('tell an address from now on; prints the secret of the signatures once')
    .argument('<url>', 'where JSON is posted to; no redirect is followed')
    .action((url: string, options: WebhookOptions) => run((parts) => parts.addOneWebhook(options, url)));
  common(webhook.command('list'))
    .summary('list the webhooks')
    .action((options: WebhookOptions) => run((parts) => parts.listAllWebhooks(options)));
  common(webhook.command('remove'))
    .summary('tell an address no more, not even what waits')
    .argument('<number>')
    .action((number: string, options: WebhookOptions) =>
      run((parts) => parts.removeOneWebhook(options, number)),
    );
  common(webhook.command('test'))
    .summary('send a signed message that says nothing')
    .argument('<number>')
    .action((number: string, options: WebhookOptions) =>
      run((parts) => parts.testOneWebhook(options, number)),
    );
  common(webhook.command('deliveries'))
    .summary('show the youngest deliveries and how they went')
    .addOption(new Option('--state <state>', 'only these').choices(['waiting', 'delivered', 'dead']))
    .action((options: WebhookOptions & { readonly state?: DeliverySummary['state'] }) =>
      run((parts) => parts.listDeliveries(options)),
    );
  common(webhook.command('retry'))
    .summary('send what was given up once more')
    .argument('<number>')
    .action((number: string, options: WebhookOptions) => run((parts) => parts.retryWebhook(options, number)));
}

async function run(work: (parts: typeof import('../webhooks.ts')) => Promise<number>): Promise<void> {
  process.exitCode = await work(await import('../webhooks.ts'));
}

function common(command: Command): Command {
  return command
    .option('--data <folder>', 'where everything of the index lies', 'rind-data')
    .option('--index <name>', 'the index; the default one when left out', '')
    .option('--json', 'print the outcome as JSON');
}
