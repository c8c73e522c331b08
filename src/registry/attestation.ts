import { z } from 'zod';
import { quote } from '../pypi/errors.ts';
import { RegistryError } from './errors.ts';

/** An attestation object (PEP 740) as it was uploaded, unchanged. */
export type Attestation = z.infer<typeof ATTESTATION>;

/** What an attestation says: in-toto's statement. */
export interface Statement {
  readonly predicateType: string;
  readonly subject: { readonly name: string; readonly sha256: string };
}

const MAX_SIZE = 512 * 1024;
const BASE64 = z
  .string()
  .max(MAX_SIZE)
  .regex(/^[A-Za-z0-9+/]+={0,2}$/);

const ATTESTATION = z.object({
  version: z.literal(1),
  verification_material: z.object({
    certificate: BASE64,
    transparency_entries: z
      .array(z.record(z.string().max(100), z.unknown()))
      .min(1)
      .max(4),
  }),
  envelope: z.object({ statement: BASE64, signature: BASE64 }),
});
const STATEMENT = z.object({
  _type: z.literal('https://in-toto.io/Statement/v1'),
  subject: z.tuple([z.object({ name: z.string().max(512), digest: z.record(z.string(), z.string()) })]),
  predicateType: z.enum(['https://docs.pypi.org/attestations/publish/v1', 'https://slsa.dev/provenance/v1']),
});
const MOST = 2;

/** The attestations of an upload's form: one per kind of statement, at most two. @throws RegistryError INVALID_FORM */
export function readAttestations(text: string): readonly Attestation[] {
  if (text.length > MAX_SIZE) throw refusal('they are larger than 512 KiB');
  const read = z.array(ATTESTATION).min(1).max(MOST).safeParse(json(text));
  if (!read.success) {
    const issue = read.error.issues[0];
    throw refusal(`${issue?.path.join('.') || 'the list'}: ${issue?.message ?? 'it is malformed'}`);
  }
  const kinds = read.data.map((attestation) => readStatement(attestation).predicateType);
  if (new Set(kinds).size < kinds.length) throw refusal('two are of the same kind');
  return read.data;
}

/** @throws RegistryError INVALID_FORM */
export function readStatement({ envelope }: Attestation): Statement {
  const read = STATEMENT.safeParse(json(Buffer.from(envelope.statement, 'base64').toString('utf8')));
  if (!read.success) throw refusal('a statement is no publish attestation and no SLSA provenance');
  const { predicateType, subject } = read.data;
  const [{ name, digest }] = subject;
  const sha256 = Object.hasOwn(digest, 'sha256') ? digest['sha256'] : undefined;
  if (sha256 === undefined) throw refusal('a statement has no sha256');
  return { predicateType, subject: { name, sha256 } };
}

/** Refuses statements about another file. @throws RegistryError INVALID_FORM */
export function requireSubject(
  attestation: Attestation,
  file: { readonly filename: string; readonly sha256: string },
): void {
  const { subject } = readStatement(attestation);
  if (subject.name !== file.filename) {
    throw refusal(`one is about ${quote(subject.name)}, not about ${quote(file.filename)}`);
  }
  if (subject.sha256 !== file.sha256) throw refusal('the digest in one is not that of the file');
}

/** The attestations of an upload are not taken, and why. */
export function refusal(reason: string, cause?: unknown): RegistryError {
  return new RegistryError('INVALID_FORM', `The attestations cannot be taken: ${reason}.`, { cause });
}

function json(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
