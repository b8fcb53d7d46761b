/** Telling what is probably a secret, to keep it out of where secrets leak: URLs, exports, lists. A guess, so it only ever hides more. */

const credentialName =
  /authorization|authentication|token(?!s|iz)|secret|passw|pwd|passphrase|credential|cookie|session[-_]?id|signature|(?:api|access|private|auth)[-_]?key|(?:^|[-_])(?:auth|key|sig|dsn|jwt|pat|pin)(?:$|[-_])/i

const credentialValue =
  /gth_[a-z]{3}_[0-9A-Za-z]|\beyJ[\w-]+\.[\w-]+\.|\b(?:sk|pk|rk|ghp|gho|ghu|ghs|ghr|glpat|xox[abeoprs]|npm|hf|dop_v1|shpat|AKIA|AIza)[-_]?[\w-]{16,}|\bgithub_pat_|:\/\/[^\s/@]*:[^\s/@]+@|\b(?:Bearer|Basic)\s+\S/i

/** Does a header, variable or parameter of this name usually hold a secret? */
export function isCredentialName(name: string): boolean {
  return credentialName.test(name)
}

/** Does the value have the shape of a known kind of token, or of a URL with a password? */
export function isCredentialValue(value: string): boolean {
  return credentialValue.test(value)
}
