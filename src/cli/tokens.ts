import { openDatabase } from '../db/open.ts';
import { findIndex } from '../db/indexes.ts';
import type { Executor } from '../db/schema.ts';
import { listTokens, revokeToken } from '../db/tokens.ts';
import { issueToken } from '../registry/authenticate.ts';
import { CliError } from './cli-error.ts';
import { existingDataFolder } from './data-folder.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { print, say } from './terminal.ts';

/** Makes an upload token for the default index and prints it, alone on stdout. */
export async function createToken(data: string, name: string): Promise<ExitCode> {
  return withDatabase(data, async (db) => {
    const index = await findIndex(db, '');
    if (index === undefined)
      throw new CliError('failure', 'The default index was not made yet; start rind serve once.');
    const { token } = await issueToken(db, { name, verbs: ['upload'], indexId: index.id, now: new Date() });
    print(token);
    say('The token is shown this once; use it as the password of the user __token__.');
  });
}

/** Lists the tokens; never their text, which is not stored. */
export async function listAllTokens(data: string, asJson: boolean): Promise<ExitCode> {
  return withDatabase(data, async (db) => {
    const tokens = (await listTokens(db)).map((row) => ({
      number: row.id,
      name: row.name,
      verbs: row.verbs.split(','),
      created: row.created_at,
      lastUsed: row.last_used_at,
      expires: row.expires_at,
      revoked: row.revoked_at,
    }));
    if (asJson) print(JSON.stringify(tokens, undefined, 2));
    else for (const token of tokens) print(describe(token));
    if (tokens.length === 0 && !asJson) say('There are no tokens.');
  });
}

/** Revokes a token by its number in the list. */
export async function revokeTokenNumber(data: string, text: string): Promise<ExitCode> {
  const number = /^[0-9]{1,9}$/.test(text) ? Number(text) : undefined;
  if (number === undefined)
    throw new CliError('usage', `"${text}" is no number of a token.`, ['rind token list']);
  return withDatabase(data, async (db) => {
    if (!(await revokeToken(db, number, new Date()))) {
      throw new CliError('failure', `There is no token ${number} that could be revoked.`, [
        'rind token list',
      ]);
    }
    say(`Token ${number} is revoked.`);
  });
}

function describe(token: {
  number: number;
  name: string;
  created: string;
  lastUsed: string | null;
  revoked: string | null;
}): string {
  const used = token.lastUsed === null ? 'never used' : `last used ${token.lastUsed}`;
  const state = token.revoked === null ? used : `revoked ${token.revoked}`;
  return `${String(token.number).padStart(4)}  ${token.name.padEnd(24)}  made ${token.created}, ${state}`;
}

async function withDatabase(data: string, work: (db: Executor) => Promise<void>): Promise<ExitCode> {
  const folder = await existingDataFolder(data);
  const database = await openDatabase({ path: folder.database });
  try {
    await work(database.db);
  } finally {
    await database.close();
  }
  return EXIT.ok;
}
