import { EXIT, type ExitCode } from './exit-codes.ts';
import { lastVerdict } from './last-verdict.ts';
import { print, say } from './terminal.ts';

/** `rind why`: what failed last, what it may mean, what to do. */
export async function explainLast(asJson: boolean): Promise<ExitCode> {
  const last = await lastVerdict();
  if (asJson) print(JSON.stringify(last ?? null, undefined, 2));
  else if (last === undefined) say('nothing has been refused on this machine yet');
  else {
    print(`${last.at.slice(0, 16).replace('T', ' ')} UTC (${ago(last.at, new Date())}), ${last.index}`);
    print(`${last.subject} (${last.code})`);
    print(`  what failed:       ${last.what}`);
    print(`  what it may mean:  ${last.meaning}`);
    print(`  what to do:        ${last.remedy}`);
  }
  return EXIT.ok;
}

/** So that nobody takes an old refusal for the reason of what failed just now. */
function ago(at: string, now: Date): string {
  const minutes = Math.floor((now.getTime() - Date.parse(at)) / 60_000);
  if (minutes < 1) return 'just now';
  const [count, unit] =
    minutes < 120
      ? [minutes, 'minute']
      : minutes < 2_880
        ? [Math.floor(minutes / 60), 'hour']
        : [Math.floor(minutes / 1_440), 'day'];
  return `${count} ${unit}${count === 1 ? '' : 's'} ago`;
}
