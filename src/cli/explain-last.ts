import { EXIT, type ExitCode } from './exit-codes.ts';
import { lastVerdict } from './last-verdict.ts';
import { print, say } from './terminal.ts';

/** `rind why`: what failed last, what it may mean, what to do. */
export async function explainLast(asJson: boolean): Promise<ExitCode> {
  const last = await lastVerdict();
  if (asJson) print(JSON.stringify(last ?? null, undefined, 2));
  else if (last === undefined) say('nothing has been refused on this machine yet');
  else {
    print(`${last.at.slice(0, 16).replace('T', ' ')} UTC, ${last.index}`);
    print(`${last.subject} (${last.code})`);
    print(`  what failed:       ${last.what}`);
    print(`  what it may mean:  ${last.meaning}`);
    print(`  what to do:        ${last.remedy}`);
  }
  return EXIT.ok;
}
