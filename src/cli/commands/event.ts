import type { Command } from 'commander';

export interface SignOptions {
  readonly key: string;
  readonly secret: string;
  readonly trusted?: string;
  readonly first?: boolean;
  readonly event?: string;
  readonly raw?: boolean;
  readonly answers?: string;
}

export interface InviteOptions {
  readonly holder: string;
  readonly role: string;
  readonly out: string;
}

const SECRET = 'where passphrases and PINs come from: terminal, file:PATH, fd:NUMBER, credential:NAME';

/** `rind sign` */
export function registerSign(program: Command): void {
  program
    .command('sign')
    .summary('show what a signing event changes against the root that you trust, and sign it')
    .argument('<event>', 'its folder, on a stick for instance')
    .requiredOption('--key <uri>', 'your key: file2:PATH, hsm:…, awskms:…, gcpkms:…, azurekms:…, hv:…')
    .option('--trusted <root>', 'your own copy of the root that you trust')
    .option('--first', 'there is no root to trust yet: this is the first ceremony')
    .option('--secret <source>', SECRET, 'terminal')
    .option(
      '--event <id>',
      'the id, or its first 12 digits, as you were told by another way; without it you are asked',
    )
    .option('--raw', 'also show every value of the JSON that changes')
    .option('--answers <file>', 'TOML with answers to the questions for people')
    .action(async (event: string, options: SignOptions) => {
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
    .argument('<event>', 'its folder')
    .option('--json', 'print it as JSON')
    .action(async (path: string, options: { readonly json?: boolean }) => {
      const { showStatus } = await import('../event-commands.ts');
      process.exitCode = await showStatus(path, options.json === true);
    });
  event
    .command('merge')
    .summary('take the signatures of other copies of the same event in')
    .argument('<event>', 'its folder')
    .argument('<copies...>', 'folders that came back from signers')
    .action(async (path: string, copies: readonly string[]) => {
      const { mergeCopies } = await import('../event-commands.ts');
      process.exitCode = await mergeCopies(path, copies);
    });
  event
    .command('invite')
    .summary('ask somebody to hold a key')
    .requiredOption('--holder <name>', 'the name that the plan will say')
    .option('--role <role>', 'root, targets, claimed or bins', 'root')
    .requiredOption('--out <file>', 'the invitation, to send')
    .action(async (options: InviteOptions) => {
      const { invite } = await import('../event-commands.ts');
      process.exitCode = await invite(options);
    });
  event
    .command('accept')
    .summary('accept an invitation: proves that you have the key, and gives the public half for the plan')
    .argument('<invitation>', 'the file that you were sent')
    .requiredOption('--key <uri>', 'your key; a file2:PATH that does not exist is made')
    .requiredOption('--out <file>', 'the public key with the proof, to send back')
    .option('--secret <source>', SECRET, 'terminal')
    .action(
      async (
        invitation: string,
        options: { readonly key: string; readonly out: string; readonly secret: string },
      ) => {
        const { accept } = await import('../event-commands.ts');
        process.exitCode = await accept(invitation, options);
      },
    );
}
