import { family } from '../../../foundation/family.ts'
import { awsKms } from './aws-kms.ts'
import { azureKeyVault } from './azure-key-vault.ts'
import { environment } from './environment.ts'
import { file } from './file.ts'
import { googleKms } from './google-kms.ts'
import { hashicorpVault } from './hashicorp-vault.ts'
import { master } from './master.ts'
import type { KeyProvider } from './provider.ts'

/** Everywhere a key of the vault can be. */
export const keyProviders = family<KeyProvider>(
  master,
  file,
  environment,
  hashicorpVault,
  awsKms,
  googleKms,
  azureKeyVault,
)
