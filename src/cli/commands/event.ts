import type { Command } from 'commander';
import { EXPECT_KEYS, TOKEN_SOURCE } from './signing-options.ts';
import type { RemoteOptions } from '../api-client.ts';

export interface SignOptions {
  readonly index?: string;
  readonly token: string;
  readonly key?: string;
  readonly yes?: boolean;
  readonly expectKeys?: readonly string[];
  readonly renew?: boolean;
  readonly json?: boolean;
  readonly secret: string;
  readonly trusted?: string;
  readonly first?: boolean;
  readonly event?: string;
  readonly raw?: boolean;
  readonly answers?: string;
}

export interface StatusOptions {
  readonly json?: boolean;
  readonly index?: string;
  readonly token: string;
}

export interface InviteOptions {
  readonly holder: string;
  readonly role: string;
  readonly out?: string;
  readonly index?: string;
  readonly token: string;
}

export interface AcceptOptions {
  readonly key: string;
  readonly out?: string;
  readonly secret: string;
  readonly index?: string;
  readonly token: string;
}

const SECRET = 'where passphrases and PINs come from: terminal, file:PATH, fd:NUMBER, credential:NAME';

/** `rind sign` */
export function registerSign(program: Command): void {
  program
    .command('sign')
    .summary('show what a signing event changes against the root that you trust, and sign it')
    .argument(
      '[event]',
      'its folder, on a stick for instance; with --index the first 12 digits of its id; or a claimed project: what waits for its owners',
    )
    .option('--index <url>', 'a running index that offers the event')
    .option('--token <source>', TOKEN_SOURCE, 'auto')
    .option(
      '--key <uri>',
      'your key: file2:PATH, hsm:…, awskms:…, gcpkms:…, azurekms:…, hv:…; for a project the key of this machine otherwise',
    )
    .option('--yes', 'a project: sign what waits without a question')
    .option(...EXPECT_KEYS)
    .option('--renew', 'a project: sign what is there anew, before it expires')
    .option('--json', 'a project: print the outcome as JSON')
    .option('--trusted <root>', 'your own copy of the root that you trust')
    .option('--first', 'there is no root to trust yet: this is the first ceremony')
    .option('--secret <source>', SECRET, 'terminal')
    .option(
      '--event <id>',
      'the id, or its first 12 digits, as you were told by another way; without it you are asked',
    )
    .option('--raw', 'also show every value of the JSON that changes')
    .option('--answers <file>', 'TOML with answers to the questions for people')
    .action(async (event: string | undefined, options: SignOptions) => {
      const { signEvent } = await import('../sign-event.ts');
      process.exitCode = await signEvent(event, options);
    });
}

/** `rind event` */
export function registerEvent(program: Command): void {
  const event = program
    .command('event')
    .summary('signing events: status, signatures from elsewhere, invitations');
  event
    .command('status')
    .summary('who signed, who is missing, until when')
    .argument('[event]', 'its folder; with --index the first 12 digits of its id, or nothing for all')
    .option('--json', 'print it as JSON')
    .option('--index <url>', 'a running index that offers the event')
    .option('--token <source>', TOKEN_SOURCE, 'auto')
    .action(async (path: string | undefined, options: StatusOptions) => {
      const { showStatus } = await import('../event-commands.ts');
      process.exitCode = await showStatus(path, options);
    });
  registerRemote(event);
  event
    .command('merge')
    .summary('take the signatures of other copies of the same event in')
    .argument('<event>', 'its folder')
    .argument('<copies...>', 'folders that came back from signers')
    .action(async (path: string, copies: readonly string[]) => {
      const { mergeCopies } = await import('../event-commands.ts');
      process.exitCode = await mergeCopies(path, copies);
    });
  registerInvitations(event);
}

/** What goes through a running index. */
function registerRemote(event: Command): void {
  event
    .command('offer')
    .summary('let a running index pass an event on to its signers')
    .argument('<event>', 'its folder')
    .requiredOption('--index <url>', 'the index; the token must be of an administrator')
    .option('--token <source>', TOKEN_SOURCE, 'auto')
    .action(async (path: string, options: RemoteOptions) => {
      const { offer } = await import('../remote-events.ts');
      process.exitCode = await offer(path, options);
    });
  event
    .command('fetch')
    .summary('copy an event from a running index into a new folder, to sign or import it there')
    .argument('[event]', 'the first 12 digits of its id')
    .requiredOption('--index <url>', 'the index')
    .requiredOption('--out <folder>', 'the new folder')
    .option('--token <source>', TOKEN_SOURCE, 'auto')
    .action(async (id: string | undefined, options: RemoteOptions & { readonly out: string }) => {
      const { fetchEvent } = await import('../remote-events.ts');
      process.exitCode = await fetchEvent(id, options);
    });
  event
    .command('invitations')
    .summary('who was asked over a running index to hold a key, and who accepted')
    .requiredOption('--index <url>', 'the index')
    .option('--token <source>', TOKEN_SOURCE, 'auto')
    .option('--out <folder>', 'write the public keys of those who accepted there, for the plan')
    .action(async (options: RemoteOptions & { readonly out?: string }) => {
      const { showInvitations } = await import('../remote-events.ts');
      process.exitCode = await showInvitations(options);
    });
}

/** New key holders. */
function registerInvitations(event: Command): void {
  event
    .command('invite')
    .summary('ask somebody to hold a key')
    .requiredOption('--holder <name>', 'the name that the plan will say')
    .option('--role <role>', 'root, targets, claimed or bins', 'root')
    .option('--out <file>', 'the invitation, to send')
    .option('--index <url>', 'a running index that passes it on, in place of a file')
    .option('--token <source>', TOKEN_SOURCE, 'auto')
    .action(async (options: InviteOptions) => {
      const { invite } = await import('../event-commands.ts');
      process.exitCode = await invite(options);
    });
  event
    .command('accept')
    .summary('accept an invitation: proves that you have the key, and gives the public half for the plan')
    .argument('<invitation>', 'the file that you were sent; with --index the number of the invitation')
    .requiredOption('--key <uri>', 'your key; a file2:PATH that does not exist is made')
    .option('--out <file>', 'the public key with the proof, to send back')
    .option('--secret <source>', SECRET, 'terminal')
    .option('--index <url>', 'the running index that passes the invitation on')
    .option('--token <source>', TOKEN_SOURCE, 'auto')
    .action(async (invitation: string, options: AcceptOptions) => {
      const { accept } = await import('../event-commands.ts');
      process.exitCode = await accept(invitation, options);
    });
}
