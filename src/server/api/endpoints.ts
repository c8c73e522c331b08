import { ACCOUNT_ENDPOINTS } from './account-endpoints.ts';
import { CLAIM_ENDPOINTS } from './claim-endpoints.ts';
import type { Endpoint } from './endpoint.ts';
import { INDEX_ENDPOINTS } from './index-endpoints.ts';
import { PUBLISHER_ENDPOINTS } from './publisher-endpoints.ts';
import { ROLE_ENDPOINTS } from './role-endpoints.ts';
import { SIGNING_EVENT_ENDPOINTS } from './signing-event-endpoints.ts';
import { PROJECT_ENDPOINTS } from './project-endpoints.ts';
import { TAKEDOWN_ENDPOINTS } from './takedown-endpoints.ts';
import { WEBHOOK_ENDPOINTS } from './webhook-endpoints.ts';
import { WITNESS_ENDPOINTS } from './witness-endpoints.ts';

/** Every endpoint there is. The OpenAPI document and the authorization matrix are made from this list. */
export const ENDPOINTS: readonly Endpoint[] = [
  ...INDEX_ENDPOINTS,
  ...ACCOUNT_ENDPOINTS,
  ...ROLE_ENDPOINTS,
  ...PUBLISHER_ENDPOINTS,
  ...SIGNING_EVENT_ENDPOINTS,
  ...PROJECT_ENDPOINTS,
  ...CLAIM_ENDPOINTS,
  ...WITNESS_ENDPOINTS,
  ...TAKEDOWN_ENDPOINTS,
  ...WEBHOOK_ENDPOINTS,
];
