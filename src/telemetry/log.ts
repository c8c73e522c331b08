import { pino, stdTimeFunctions, type DestinationStream, type Logger } from 'pino';

/** What the parts of the program log to. Pass values as the first argument's fields, never inside the sentence. */
export type Log = Logger;

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';

export interface LogOptions {
  readonly level?: LogLevel;
  /** Takes one line of JSON per call; standard error when absent. */
  readonly destination?: DestinationStream;
}

const CENSOR = '[redacted]';

/** Field names whose values are never written, at the top and one and two levels below. */
const SECRET_FIELDS: readonly string[] = [
  'authorization',
  'cookie',
  'passphrase',
  'password',
  'privateKey',
  'secret',
  'token',
  'proxyAuthorization',
];

/** Secrets that slipped into other text: our tokens, Basic and Bearer credentials, user and password in a URL. All linear. */
const SECRET_TEXT: readonly (readonly [RegExp, string])[] = [
  [/rind_[0-9A-Za-z]{16,}/g, `rind_${CENSOR}`],
  [/\b(basic|bearer) +[0-9A-Za-z+/=._~-]{8,}/gi, `$1 ${CENSOR}`],
  [/:\/\/[^/?#@\s"\\]{1,256}@/g, `://${CENSOR}@`],
];

/** A log of one JSON object per line on standard error, written before the call returns so that a crash loses nothing. */
export function openLog({ level = 'info', destination = standardError() }: LogOptions = {}): Log {
  return pino(
    {
      level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: secretPaths(), censor: CENSOR },
    },
    { write: (line) => destination.write(withoutSecrets(line)) },
  );
}

/** For parts that are used without a log. */
export function silentLog(): Log {
  return pino({ level: 'silent' });
}

function standardError(): DestinationStream {
  return pino.destination({ dest: 2, sync: true });
}

function secretPaths(): string[] {
  const names = SECRET_FIELDS.flatMap((name) => [name, name[0]?.toUpperCase() + name.slice(1)]);
  return ['', '*.', '*.*.'].flatMap((parents) => names.map((name) => parents + name));
}

/** A line of text in which whatever looks like a credential is replaced. */
export function withoutSecrets(line: string): string {
  let text = line;
  for (const [pattern, replacement] of SECRET_TEXT) text = text.replaceAll(pattern, replacement);
  return text;
}
