import { PublicationError } from './errors.ts';
import type { Profile } from './profile.ts';

/** How long signatures of a role last, and at which age the publisher makes new ones. Milliseconds. */
export interface SigningWindow {
  readonly lifetime: number;
  readonly renewal: number;
}

/** The windows of what the online keys sign. */
export interface ExpirySettings {
  readonly timestamp: SigningWindow;
  readonly snapshot: SigningWindow;
  /** bin-n and recently-claimed. */
  readonly bins: SigningWindow;
}

/** What the profile says: one window for all of them. */
export function expirySettingsOf({
  onlineLifetime: lifetime,
  onlineRenewal: renewal,
}: Profile): ExpirySettings {
  const window = { lifetime, renewal };
  return { timestamp: window, snapshot: window, bins: window };
}

/** The window of a role. */
export function windowOf(settings: ExpirySettings, role: string): SigningWindow {
  return role === 'timestamp' || role === 'snapshot' ? settings[role] : settings.bins;
}

/** Throws UNSOUND_EXPIRY unless each window leaves half of a lifetime to notice that a renewal failed. */
export function requireSoundWindows(settings: ExpirySettings): void {
  for (const name of ['timestamp', 'snapshot', 'bins'] as const) {
    const { lifetime, renewal } = settings[name];
    if (renewal > 0 && renewal <= lifetime / 2) continue;
    throw new PublicationError(
      'UNSOUND_EXPIRY',
      `The signatures of ${name} last ${lifetime} ms and are renewed after ${renewal} ms: renew them after half of their lifetime or earlier.`,
      { role: name },
    );
  }
}
