import type { Endpoint } from './endpoint.ts';
import { INDEX_ENDPOINTS } from './index-endpoints.ts';
import { PROJECT_ENDPOINTS } from './project-endpoints.ts';

/** Every endpoint there is. The OpenAPI document and the authorization matrix are made from this list. */
export const ENDPOINTS: readonly Endpoint[] = [...INDEX_ENDPOINTS, ...PROJECT_ENDPOINTS];
