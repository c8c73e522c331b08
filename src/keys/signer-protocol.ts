import { z } from 'zod';

/** What a client asks of a signer process, each in one frame; answers carry the same id, and may come in another order. */
export const signerRequest = z.discriminatedUnion('op', [
  z.strictObject({ id: z.int().min(0), op: z.literal('keys') }),
  z.strictObject({ id: z.int().min(0), op: z.literal('versions'), keyid: z.string().max(256) }),
  z.strictObject({
    id: z.int().min(0),
    op: z.literal('sign'),
    keyid: z.string().max(256),
    role: z.string().max(256),
    /** Base64 of the canonical signed part. */
    bytes: z.string(),
  }),
]);

export type SignerRequest = z.output<typeof signerRequest>;

/** A public key as `keys` answers it; the three fields are those of metadata. */
export const signerKey = z.object({
  keyid: z.string().max(256),
  keytype: z.string().max(256),
  scheme: z.string().max(256),
  public: z.string().max(16_384),
});

export const signerAnswer = z.object({
  id: z.int().min(0),
  keys: z.array(signerKey).max(1000).optional(),
  versions: z.record(z.string(), z.int().min(1)).optional(),
  /** Hex. */
  sig: z.string().max(32_768).optional(),
  error: z.object({ code: z.string().max(64), message: z.string().max(4096) }).optional(),
});

export type SignerAnswer = z.output<typeof signerAnswer>;
