// X.509 certificates: who a signing key belongs to, as roots that the operator trusts say.
#pragma once

#include <ctime>
#include <string>
#include <vector>

#include "alambic/provenance/keys.h"

namespace alambic {

/// The certificates of a PEM file as DER, in its order. Input errors: none, or one that is broken.
std::vector<std::string> read_certificates(const fs::path& path);

/// Public key of a certificate. Input errors: no certificate, a key on another curve.
KeyHandle key_of_certificate(const std::string& der);

/// Who a certificate is for, in one line ("CN = …"); control characters are escaped.
std::string subject_of_certificate(const std::string& der);

/// Key of the first certificate of `chain`, after it has been followed up to one of `roots` as of
/// `when`. Refused (exit 4): a chain that no root has signed, one that is over or not yet valid, a
/// certificate that is not for signing (its key usage, where given, must have digitalSignature and
/// its extended usage, where given, codeSigning; one of them must be given).
KeyHandle trusted_key(const std::vector<std::string>& chain, const std::vector<std::string>& roots,
                      std::time_t when);

}  // namespace alambic
