/** A file as it travels: its path within the event, and its bytes. */
export interface EventFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** Who signed and who is missing for one threshold. Root has two in a renewal: by the old root's keys and by the new one's. */
export interface EventQuorum {
  readonly role: string;
  readonly by: 'old' | 'new';
  readonly threshold: number;
  readonly signed: readonly string[];
  readonly missing: readonly string[];
  readonly met: boolean;
}

export interface EventSummary {
  /** sha256 of the candidate, lower-case hex. */
  readonly id: string;
  /** Whose offline roles it signs, '' for the default index; undefined: none that is here. */
  readonly index: string | undefined;
  readonly kind: string;
  readonly rehearsal: boolean;
  readonly deadline: Date;
  readonly complete: boolean;
  readonly expired: boolean;
  readonly quorums: readonly EventQuorum[];
}

/** Somebody was asked to hold a key. */
export interface KeyInvitation {
  readonly nonce: string;
  readonly holder: string;
  readonly role: string;
  /** The file to accept. */
  readonly invitation: Uint8Array;
  /** The public key with the proof of possession, once she accepted. */
  readonly acceptance: Uint8Array | undefined;
}

/**
 * Signing events and invitations that a server passes on between people. The server is only a post box: signers check what they get against
 * their own root, and the box verifies what it stores. Each throws RegistryError NOT_FOUND, INVALID_REQUEST, CONFLICT.
 */
export interface SigningEvents {
  list(now: Date): Promise<readonly EventSummary[]>;
  /** Every file of an event; `id` may be its first 12 digits. */
  files(id: string): Promise<{ readonly id: string; readonly files: readonly EventFile[] }>;
  status(id: string, now: Date): Promise<EventSummary>;
  offer(files: readonly EventFile[], now: Date): Promise<EventSummary>;
  sign(
    id: string,
    handedIn: { readonly signatures: readonly Uint8Array[]; readonly minutes: readonly Uint8Array[] },
    now: Date,
  ): Promise<EventSummary>;
  invitations(): Promise<readonly KeyInvitation[]>;
  invite(invitation: { readonly holder: string; readonly role: string }): Promise<KeyInvitation>;
  accept(nonce: string, acceptance: Uint8Array): Promise<KeyInvitation>;
}
