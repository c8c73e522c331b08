/** Something that goes around the verification, or could. */
export interface Finding {
  /** `around`: packages can come in unverified when an installer is started by itself; `note`: worth knowing, and no way around. */
  readonly severity: 'around' | 'note';
  /** The file or variable. */
  readonly place: string;
  /** What it does, one sentence. */
  readonly what: string;
  /** What becomes of it under `rind run`. */
  readonly underRun: 'left out' | 'refused' | 'verified' | 'not seen' | 'apart';
  /** What to do, one sentence. */
  readonly remedy: string;
}

/** Where the doctor looks, and what counts as verified there. */
export interface Surroundings {
  readonly folder: string;
  readonly home: string;
  readonly environment: NodeJS.ProcessEnv;
  /** Base URLs of the trusted indexes, and of the proxy that keeps running. */
  readonly trusted: readonly string[];
}

/** Whether packages from this URL are verified. uv may give an index a name first; credentials in it are no matter. */
export function isTrustedUrl(text: string, { trusted }: Pick<Surroundings, 'trusted'>): boolean {
  const bare = text.replace(/^[a-z0-9._-]+=(?=https?:)/i, '').replace(/\/\/[^/@\s]*@/, '//');
  return trusted.some((url) => bare === url || bare.startsWith(url) || `${bare}/` === url);
}

/** A URL or setting without its password. */
export function shown(text: string): string {
  const line = text.replace(/\s+/g, ' ').replace(/\/\/[^/@\s]*@/g, '//***@');
  return line.length > 200 ? `${line.slice(0, 200)}…` : line;
}
