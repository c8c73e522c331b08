import { describe, expect, it } from 'vitest';
import { openLog, silentLog, type Log } from './log.ts';

const TOKEN = 'rind_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLM';

function capture(): { readonly log: Log; readonly lines: string[] } {
  const lines: string[] = [];
  const log = openLog({ level: 'debug', destination: { write: (line) => void lines.push(line) } });
  return { log, lines };
}

describe('the log', () => {
  it('writes one JSON object per line with time and level by name', () => {
    const { log, lines } = capture();
    log.info({ index: '', version: 7 }, 'published');
    log.child({ part: 'publisher' }).warn('slow\nline');
    expect(lines).toHaveLength(2);
    expect(lines[0]?.endsWith('\n')).toBe(true);
    const entry = JSON.parse(lines[0] ?? '') as Record<string, unknown>;
    expect(entry).toMatchObject({ level: 'info', index: '', version: 7, msg: 'published' });
    expect(entry['time']).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(entry).not.toHaveProperty('pid');
    expect(JSON.parse(lines[1] ?? '')).toMatchObject({ part: 'publisher', msg: 'slow\nline' });
  });

  it.each<[string, (log: Log) => void]>([
    ['in a field of that name', (log) => log.info({ token: 'CANARY' }, 'x')],
    ['in a header', (log) => log.info({ headers: { authorization: 'CANARY' } }, 'x')],
    [
      'in a header of a request',
      (log) => log.info({ request: { headers: { Authorization: 'CANARY' } } }, 'x'),
    ],
    ['in the fields of a child', (log) => log.child({ password: 'CANARY' }).info('x')],
    ['as a passphrase', (log) => log.error({ key: { passphrase: 'CANARY' } }, 'x')],
    ['in a sentence', (log) => log.info(`the header was Bearer CANARYCANARY`)],
    [
      'in an error',
      (log) => log.error({ err: new Error('bad https://me:CANARY@index.example/simple/') }, 'x'),
    ],
    ['as Basic credentials', (log) => log.info({ raw: 'Basic CANARYCANARY==' }, 'x')],
    ['in a URL', (log) => log.info({ url: 'http://__token__:CANARY@127.0.0.1:8458/' }, 'x')],
  ])('never repeats a secret %s', (_where, write) => {
    const { log, lines } = capture();
    write(log);
    expect(lines.join('')).not.toContain('CANARY');
    expect(lines.join('')).toContain('[redacted]');
    JSON.parse(lines[0] ?? '');
  });

  it('never repeats one of our tokens, wherever it stands', () => {
    const { log, lines } = capture();
    log.info({ deep: { deeper: { deepest: [TOKEN] } } }, `got ${TOKEN}`);
    log.error(new Error(`no such token: ${TOKEN}`));
    expect(lines.join('')).not.toContain(TOKEN.slice(5));
    for (const line of lines) JSON.parse(line);
  });

  it('leaves everything else as it was', () => {
    const { log, lines } = capture();
    log.info({ url: 'https://index.example/simple/foo/?a=b@c', mail: 'me@example.org' }, 'basic facts');
    expect(lines[0]).toContain('https://index.example/simple/foo/?a=b@c');
    expect(lines[0]).toContain('me@example.org');
    expect(lines[0]).toContain('basic facts');
  });

  it('is not slowed down by hostile text', () => {
    const { log, lines } = capture();
    log.info({ text: '://'.repeat(100_000) + 'rind_'.repeat(100_000) + 'basic '.repeat(100_000) }, 'x');
    expect(lines).toHaveLength(1);
  });

  it('can be silent', () => {
    expect(silentLog().isLevelEnabled('fatal')).toBe(false);
  });
});
