import { CliError } from './cli-error.ts';

/** Reads `upload.localVersions=false limits.maxFileBytes=1000 kind=public retention.keepReleases=null` into one object of settings. */
export function readSettings(settings: readonly string[]): Record<string, unknown> {
  const sections = new Map<string, unknown>();
  for (const setting of settings) {
    const equals = setting.indexOf('=');
    const [section = '', name, ...more] = setting.slice(0, Math.max(equals, 0)).split('.');
    if (section === '' || name === '' || more.length > 0)
      throw new CliError('usage', `"${setting}" sets nothing.`, [
        'write it as SECTION.NAME=VALUE, for example limits.maxProjectFiles=100',
      ]);
    const value = readValue(setting.slice(equals + 1));
    if (name === undefined) sections.set(section, value);
    else {
      const known = sections.get(section);
      const values = known instanceof Map ? known : new Map<string, unknown>();
      sections.set(section, values.set(name, value));
    }
  }
  return Object.fromEntries(
    [...sections].map(([name, value]) => [
      name,
      value instanceof Map ? (Object.fromEntries(value) as unknown) : value,
    ]),
  );
}

/** JSON where it is JSON, the text itself otherwise. */
function readValue(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
