import { closeSync, constants, openSync } from 'node:fs';
import { ReadStream, WriteStream } from 'node:tty';
import type { SecretQuestion } from './opened-signer.ts';
import { SignerError } from './signer-error.ts';

const MAX_LENGTH = 1024;

/** Asks on the terminal of this process, whatever stdin and stdout are. Nothing is shown while typing. Throws NO_SECRET without a terminal, and when Ctrl-C or Ctrl-D is typed. */
export async function askOnTerminal({ kind, uri, subject, warning }: SecretQuestion): Promise<string> {
  const question = `${warning === undefined ? '' : `${warning}\n`}${kind} of ${subject}: `;
  const answer = await readHidden(question);
  if (answer !== undefined && answer !== '') return answer;
  throw new SignerError('NO_SECRET', `No ${kind} of ${subject} was given.`, { uri });
}

/** Asks for a new secret twice, until both are the same and not empty. Throws NO_SECRET. */
export async function askNewOnTerminal(subject: string): Promise<string> {
  let prefix = '';
  for (;;) {
    const first = await readHidden(`${prefix}new passphrase of ${subject}: `);
    if (first === undefined) throw new SignerError('NO_SECRET', `No passphrase of ${subject} was given.`);
    const second = await readHidden('the same again: ');
    if (second === undefined) throw new SignerError('NO_SECRET', `No passphrase of ${subject} was given.`);
    if (first !== '' && first === second) return first;
    prefix = first === '' ? 'It must not be empty.\n' : 'The two differ.\n';
  }
}

/** One line without echo; undefined when the person gave up. Throws NO_SECRET without a terminal. */
export async function readHidden(question: string): Promise<string | undefined> {
  const { input, output, close } = openTerminal();
  try {
    // Raw before the question is shown: who types ahead shows nothing either.
    input.setRawMode(true);
    output.write(question);
    return await readLine(input);
  } finally {
    input.setRawMode(false);
    output.write('\n');
    close();
  }
}

function openTerminal(): { input: ReadStream; output: WriteStream; close: () => void } {
  let descriptor: number | undefined;
  try {
    descriptor = openSync('/dev/tty', constants.O_RDWR | constants.O_NOCTTY);
    const output = new WriteStream(descriptor);
    const second = openSync('/dev/tty', constants.O_RDWR | constants.O_NOCTTY);
    const input = new ReadStream(second);
    return {
      input,
      output,
      close: () => {
        input.destroy();
        output.destroy();
      },
    };
  } catch (cause) {
    if (descriptor !== undefined) closeSync(descriptor);
    throw new SignerError(
      'NO_SECRET',
      'There is no terminal to ask for a passphrase or PIN; name a source of it: file:PATH, fd:NUMBER or credential:NAME.',
      { cause },
    );
  }
}

function readLine(input: ReadStream): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const letters: string[] = [];
    const end = (answer: string | undefined) => {
      input.off('data', read);
      resolve(answer);
    };
    const read = (text: string) => {
      for (const letter of text) {
        if (letter === '\r' || letter === '\n') return end(letters.join(''));
        if (letter === '\u0003' || letter === '\u0004') return end(undefined);
        if (letter === '\u007f' || letter === '\b') letters.pop();
        else if (letter === '\u0015') letters.length = 0;
        else if (letter >= ' ' && letters.length < MAX_LENGTH) letters.push(letter);
      }
    };
    input.setEncoding('utf8').on('data', read).once('error', reject);
  });
}
