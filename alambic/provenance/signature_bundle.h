// A Sigstore bundle with a DSSE envelope: the file that a signature is.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "alambic/provenance/certificates.h"

namespace alambic {

struct SignatureBundle {
  std::string payload;                    ///< the signed bytes, exactly
  std::string signature;                  ///< ECDSA in DER
  std::string hint;                       ///< of the key (key_hint); empty with certificates
  std::vector<std::string> certificates;  ///< DER, that of the key first; empty with a key alone
};

/// What a statement is signed with: a private key, and where there are some the certificates of it.
struct BundleSigner {
  KeyHandle key;
  std::vector<std::string> certificates;
};

/// Signer of these files; `certificates` holds that of the key first. Input errors: those of
/// reading, a certificate of another key.
BundleSigner read_signer(const fs::path& key, const std::vector<fs::path>& certificates);

/// What a bundle is checked against: a public key, or roots of trust and a time.
struct TrustedSigner {
  KeyHandle key;                   ///< null: `roots` say
  std::vector<std::string> roots;  ///< DER
  std::time_t when = 0;
};

/// The envelope's bytes that are signed (DSSE's pre-authentication encoding).
std::string signed_bytes(std::string_view payload_type, std::string_view payload);

SignatureBundle sign_statement(const BundleSigner& signer, const std::string& statement);
std::string bundle_text(const SignatureBundle& bundle);

/// Input errors: not a bundle of version 0.3, another payload type, no signature or several,
/// base64 that is not canonical, neither a key's hint nor certificates.
SignatureBundle parse_bundle(std::string_view text, const std::string& where);

/// Refused (exit 4) unless the trusted signer made it: another key, a chain that no root signed or
/// that is over, a signature that does not hold. Who signed it, in words.
std::string check_signer(const SignatureBundle& bundle, const TrustedSigner& trusted,
                         const std::string& where);

}  // namespace alambic
