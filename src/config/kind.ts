import { isIP } from 'node:net';
import { z } from 'zod';

/** What can stand at a key: how it is written, and what it means to the program. */
export interface Kind<Value> {
  /** For people: "duration", "list of addresses". */
  readonly name: string;
  /** Reads what stands in the file. Its messages continue the sentence "SECTION.KEY ...". */
  readonly schema: z.ZodType<Value>;
  /** What text of the environment would be in the file. */
  readonly fromText: (text: string) => unknown;
}

const SECOND = 1000;
const DURATION_UNITS = new Map([
  ['ms', 1],
  ['s', SECOND],
  ['m', 60 * SECOND],
  ['h', 3600 * SECOND],
  ['d', 86_400 * SECOND],
]);
const SIZE_UNITS = new Map([
  ['B', 1],
  ['kB', 1000],
  ['MB', 1000 ** 2],
  ['GB', 1000 ** 3],
  ['KiB', 1024],
  ['MiB', 1024 ** 2],
  ['GiB', 1024 ** 3],
]);

const asIs = (text: string): unknown => text;
const asNumber = (text: string): unknown =>
  /^-?[0-9]{1,16}(\.[0-9]{1,9})?$/.test(text) ? Number(text) : text;
const asList = (text: string): unknown =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');

function matching<Value>(name: string, say: string, read: (text: string) => Value | undefined): Kind<Value> {
  const schema = z.unknown().transform((value, context): Value => {
    const result = typeof value === 'string' ? read(value) : undefined;
    if (result !== undefined) return result;
    context.addIssue({ code: 'custom', message: say });
    return z.NEVER;
  });
  return { name, schema, fromText: asIs };
}

function measured(
  name: string,
  say: string,
  units: ReadonlyMap<string, number>,
  smallest: number,
): Kind<number> {
  return matching(name, say, (text) => {
    const [, digits = '', unit = ''] = /^([0-9]{1,12}) ?([A-Za-z]{1,3})$/.exec(text) ?? [];
    const value = Number(digits) * (units.get(unit) ?? Number.NaN);
    return Number.isSafeInteger(value) && digits !== '' && value >= smallest ? value : undefined;
  });
}

/** Milliseconds. */
export const duration = measured(
  'duration',
  'is no duration: write a number and a unit in quotation marks, such as "30s", "15m", "12h" or "7d"',
  DURATION_UNITS,
  1,
);

/** Bytes. */
export const size = measured(
  'size',
  'is no size: write a number and a unit in quotation marks, such as "64KiB", "100MiB" or "1GiB"',
  SIZE_UNITS,
  1,
);

export const text = matching('text', 'is no text: write it in quotation marks', (value) =>
  value === '' || value.includes('\0') ? undefined : value,
);

/** A path; relative ones are relative to where the program is started. */
export const path: Kind<string> = { ...text, name: 'path' };

export const flag: Kind<boolean> = {
  name: 'true or false',
  schema: z.boolean({ error: 'is neither true nor false: write one of them, without quotation marks' }),
  fromText: (value) => (value === 'true' ? true : value === 'false' ? false : value),
};

export function whole(least: number, most: number): Kind<number> {
  const error = `is no number from ${least} to ${most}: write one without quotation marks`;
  return {
    name: `number, ${least} to ${most}`,
    schema: z.number({ error }).int({ error }).min(least, { error }).max(most, { error }),
    fromText: asNumber,
  };
}

/** More than 0, fractions allowed. */
export const rate: Kind<number> = {
  name: 'number above 0',
  schema: z
    .number({ error: 'is no number above 0: write one without quotation marks' })
    .positive({ error: 'is no number above 0: write a greater one' })
    .max(1e9, { error: 'is too great: write at most 1000000000' }),
  fromText: asNumber,
};

export function oneOf<const Choice extends string>(...choices: readonly Choice[]): Kind<Choice> {
  const all = choices.map((choice) => `"${choice}"`).join(', ');
  return {
    ...matching(all, `is none of ${all}: write one of them`, (value) =>
      choices.find((choice) => choice === value),
    ),
  };
}

/** An http or https URL without a user name, which would end in logs. */
export const url = matching(
  'URL',
  'is no URL: write one that begins with http:// or https:// and has no user name and no fragment',
  (value) => (isWebUrl(value) ? value : undefined),
);

/** Of an S3-compatible store. */
export const bucket = matching('bucket', 'is no bucket: write s3://BUCKET or s3://BUCKET/PREFIX', (value) =>
  /^s3:\/\/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](?:\/[\w./-]*)?$/.test(value) ? value : undefined,
);

/** Ends with `/`. */
export const publicUrl = matching(
  'URL',
  'is no public URL: write one that begins with http:// or https:// and has no user, query or fragment',
  (value) => {
    if (!isWebUrl(value) || value.includes('?')) return undefined;
    const { href } = new URL(value);
    return href.endsWith('/') ? href : `${href}/`;
  },
);

function isWebUrl(value: string): boolean {
  const parsed = URL.canParse(value) ? new URL(value) : undefined;
  if (parsed === undefined || !/^https?:$/.test(parsed.protocol)) return false;
  return parsed.username === '' && parsed.password === '' && !value.includes('#');
}

function listOf<Value>(name: string, element: z.ZodType<Value>, say: string): Kind<readonly Value[]> {
  return {
    name,
    schema: z.array(element, { error: say }).max(10_000, { error: 'has more than 10000 entries' }),
    fromText: asList,
  };
}

export const paths = listOf(
  'list of paths',
  z.string({ error: 'is no path: write each in quotation marks' }).min(1, { error: 'is an empty path' }),
  'is no list: write [ ] around the paths',
);

export const names = listOf(
  'list of project names',
  z
    .string({ error: 'is no project name: write each in quotation marks' })
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}\*?$/, {
      error: 'is no project name, with * at its end or not',
    }),
  'is no list: write [ ] around the names',
);

/** Addresses and networks such as `10.0.0.0/8`. */
export const networks = listOf(
  'list of addresses',
  z.string({ error: 'is no address: write each in quotation marks' }).refine(isNetwork, {
    error: 'is no address and no network: write it such as "10.0.0.1", "10.0.0.0/8" or "fd00::/8"',
  }),
  'is no list: write [ ] around the addresses',
);

function isNetwork(value: string): boolean {
  const [address = '', bits, ...more] = value.split('/');
  const family = isIP(address);
  if (family === 0 || more.length > 0) return false;
  return bits === undefined || (/^[0-9]{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128));
}

const issuer = z.strictObject(
  {
    url: z.string({ error: 'has an issuer without url: write url = "https://…"' }).refine(isWebUrl, {
      error: 'has an issuer whose url is none: write one that begins with https://',
    }),
    kind: z.enum(['github', 'gitlab', 'claims'], {
      error: 'has an issuer of unknown kind: write "github", "gitlab" or "claims"',
    }),
  },
  { error: 'has an issuer that is not { url = "https://…", kind = "github" }: write exactly these two keys' },
);

/** Issuers of identity tokens, as tables with `url` and `kind`; in the environment `kind=url`, parted by commas. */
export const issuers: Kind<readonly z.infer<typeof issuer>[]> = {
  ...listOf(
    'list of issuers',
    issuer,
    'is no list of issuers: write [{ url = "https://…", kind = "github" }]',
  ),
  fromText: (value) =>
    (asList(value) as string[]).map((part) => {
      const equals = part.indexOf('=');
      return { kind: part.slice(0, Math.max(0, equals)), url: part.slice(equals + 1) };
    }),
};
