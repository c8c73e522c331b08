export { RepositorySimulator, prefixesOfBin, timeText } from './repository-simulator.ts';
export type {
  DelegationOptions,
  PublishOptions,
  RepositorySimulatorOptions,
} from './repository-simulator.ts';
export { SimulatedClient } from './simulated-client.ts';
export { SimulatorKey } from './simulator-key.ts';
export type { SimulatorScheme } from './simulator-key.ts';
export type { Misbehaviour } from './misbehaviour.ts';
export { plainObject } from './metadata-json.ts';
export type {
  DelegatedRoleJson,
  DelegationsJson,
  KeyJson,
  MetaFileJson,
  MetaJson,
  RoleJson,
  RootJson,
  SignedJson,
  SuccinctRolesJson,
  TargetFileJson,
  TargetsJson,
} from './metadata-json.ts';
