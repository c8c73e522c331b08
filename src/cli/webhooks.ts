import type { DeliverySummary } from '../registry/webhooks.ts';
import {
  addWebhook,
  deliveriesOf,
  removeWebhook,
  retryDeliveries,
  webhooksOf,
  webhookToTest,
} from '../registry/webhooks.ts';
import { sendWebhook } from '../registry/webhook-sender.ts';
import { CliError } from './cli-error.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { withIndex } from './index-change.ts';
import { print, say } from './terminal.ts';

export interface WebhookOptions {
  readonly data: string;
  readonly index: string;
  readonly json?: boolean;
}

/** `rind webhook add URL`: prints the secret of the signatures, alone on stdout. */
export async function addOneWebhook(options: WebhookOptions, url: string): Promise<ExitCode> {
  return withIndex(options.data, options.index, async (opened) => {
    const made = await addWebhook(opened, opened.principal, url);
    print(options.json === true ? JSON.stringify(made) : made.secret);
    say(`webhook ${made.number} is told of every publication; its secret is shown this once`);
    return EXIT.ok;
  });
}

/** `rind webhook list` */
export async function listAllWebhooks(options: WebhookOptions): Promise<ExitCode> {
  return withIndex(options.data, options.index, async (opened) => {
    const webhooks = await webhooksOf(opened, opened.principal);
    if (options.json === true) print(JSON.stringify(webhooks, undefined, 2));
    else if (webhooks.length === 0) say('There are no webhooks.');
    else for (const { number, url, created } of webhooks) print(`${number}  ${url}  since ${created}`);
    const dead = await deliveriesOf(opened, opened.principal, 'dead');
    if (dead.length > 0)
      say(`${dead.length} deliveries were given up: rind webhook deliveries --state dead says why`);
    return EXIT.ok;
  });
}

/** `rind webhook remove NUMBER` */
export async function removeOneWebhook(options: WebhookOptions, number: string): Promise<ExitCode> {
  return withIndex(options.data, options.index, async (opened) => {
    await removeWebhook(opened, opened.principal, numberOf(number));
    say(`webhook ${number} is told no more`);
    return EXIT.ok;
  });
}

/** `rind webhook test NUMBER`: exit code 1 when it did not take the message. */
export async function testOneWebhook(options: WebhookOptions, number: string): Promise<ExitCode> {
  return withIndex(options.data, options.index, async (opened) => {
    const webhook = await webhookToTest(opened, opened.principal, numberOf(number));
    const at = opened.clock();
    const body = JSON.stringify({ event: 'ping', index: opened.index.name, at: at.toISOString() });
    const failure = await sendWebhook(webhook, { id: 'test', event: 'ping', body }, at);
    if (failure !== undefined)
      throw new CliError('failure', `The webhook did not take the message: ${failure}.`);
    say('the webhook took the message');
    return EXIT.ok;
  });
}

/** `rind webhook deliveries` */
export async function listDeliveries(
  options: WebhookOptions & { readonly state?: DeliverySummary['state'] },
): Promise<ExitCode> {
  return withIndex(options.data, options.index, async (opened) => {
    const deliveries = await deliveriesOf(opened, opened.principal, options.state);
    if (options.json === true) print(JSON.stringify(deliveries, undefined, 2));
    else
      for (const { number, webhook, publication, state, attempts, lastError } of deliveries)
        print(
          `${number}  webhook ${webhook}  publication ${publication}  ${state} after ${attempts} attempts${lastError === null ? '' : `: ${lastError}`}`,
        );
    return EXIT.ok;
  });
}

/** `rind webhook retry NUMBER` */
export async function retryWebhook(options: WebhookOptions, number: string): Promise<ExitCode> {
  return withIndex(options.data, options.index, async (opened) => {
    const count = await retryDeliveries(opened, opened.principal, numberOf(number));
    say(`${count} deliveries are sent once more`);
    return EXIT.ok;
  });
}

function numberOf(text: string): number {
  if (/^[0-9]{1,9}$/.test(text)) return Number(text);
  throw new CliError('usage', `${text} is no number of a webhook.`, ['rind webhook list shows them']);
}
