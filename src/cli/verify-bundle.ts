import { verifyBundle } from '../ceremony/bundle.ts';
import { paperRecord } from '../ceremony/paper-record.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { print, say } from './terminal.ts';

/** `rind ceremony verify` */
export async function verify(path: string): Promise<ExitCode> {
  const { event, minutes } = await verifyBundle(path);
  for (const line of paperRecord(event)) print(line);
  for (const { holder, kind, at, discarded, answers } of minutes.toSorted(
    (a, b) => a.at.getTime() - b.at.getTime(),
  )) {
    const did =
      kind === 'opening' ? `opened the event and discarded ${discarded.length} one-time keys` : 'signed';
    print(`minutes      ${at.toISOString()} ${holder} ${did}`);
    for (const [question, answer] of answers) print(`             ${question}: ${answer}`);
  }
  say(`${path} is whole: every file, signature and threshold was verified`);
  return EXIT.ok;
}
