import {
  accessTokens,
  createAccessToken,
  revokeAccessToken,
  type TokenSummary,
  type TokenWish,
} from '../registry/access-tokens.ts';
import type { Verb } from '../registry/principal.ts';
import { CliError } from './cli-error.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { withData } from './index-change.ts';
import { print, say } from './terminal.ts';

export interface CreateTokenOptions {
  readonly data: string;
  readonly verb?: readonly Verb[];
  readonly index: string;
  readonly everyIndex?: boolean;
  readonly project?: readonly string[];
  readonly user?: string;
  /** Days. */
  readonly days?: number;
  readonly json?: boolean;
}

const DAY = 86_400_000;

/** Makes a token, for uploads to the default index when nothing else is said, and prints it, alone on stdout. */
export async function createToken(options: CreateTokenOptions, name: string): Promise<ExitCode> {
  return withData(options.data, async (opened) => {
    const wish: TokenWish = {
      name,
      verbs: options.verb ?? ['upload'],
      index: options.everyIndex === true ? undefined : options.index,
      projects: options.project,
      user: options.user,
      expires: options.days === undefined ? undefined : new Date(Date.now() + options.days * DAY),
    };
    const made = await createAccessToken(opened, opened.principal, wish);
    print(options.json === true ? JSON.stringify(made) : made.token);
    say('The token is shown this once; use it as the password of the user __token__.');
    return EXIT.ok;
  });
}

/** Lists the tokens; never their text, which is not stored. */
export async function listAllTokens(data: string, asJson: boolean): Promise<ExitCode> {
  return withData(data, async (opened) => {
    const tokens = await accessTokens(opened, opened.principal);
    if (asJson) print(JSON.stringify(tokens, undefined, 2));
    else for (const token of tokens) print(describe(token));
    if (tokens.length === 0 && !asJson) say('There are no tokens.');
    return EXIT.ok;
  });
}

/** Revokes a token by its number in the list. */
export async function revokeTokenNumber(data: string, text: string): Promise<ExitCode> {
  const number = /^[0-9]{1,9}$/.test(text) ? Number(text) : undefined;
  if (number === undefined)
    throw new CliError('usage', `"${text}" is no number of a token.`, ['rind token list']);
  return withData(data, async (opened) => {
    await revokeAccessToken(opened, opened.principal, number);
    say(`Token ${number} is revoked.`);
    return EXIT.ok;
  });
}

function describe(token: TokenSummary): string {
  const used = token.lastUsed === null ? 'never used' : `last used ${token.lastUsed}`;
  const state = token.revoked === null ? used : `revoked ${token.revoked}`;
  const scope = `${token.verbs.join(',')}${token.projects === null ? '' : ` of ${token.projects.join(',')}`}`;
  const owner = token.user === null ? '' : `, of ${token.user}`;
  return `${String(token.number).padStart(4)}  ${token.name.padEnd(24)}  ${scope}${owner}, made ${token.created}, ${state}`;
}
