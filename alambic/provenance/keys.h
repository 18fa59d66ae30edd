// Elliptic-curve keys: what signs a folder and what tells that it did.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "alambic/base/files.h"

struct evp_pkey_st;

namespace alambic {

enum class Curve { p256, p384, p521 };

/// A key of OpenSSL's on one of the three curves, private or public alone.
using KeyHandle = std::shared_ptr<evp_pkey_st>;

KeyHandle new_key(Curve curve);

/// Whether a key is on one of the three curves.
bool has_known_curve(const KeyHandle& key);

/// Input errors: no key in PEM, one with a passphrase, another kind or curve, a public key where a
/// private one is needed.
KeyHandle read_private_key(const fs::path& path);
/// Input errors as above; a private key where the public one is enough is refused, lest it be
/// passed on.
KeyHandle read_public_key(const fs::path& path);

std::string private_pem(const KeyHandle& key);
std::string public_pem(const KeyHandle& key);

/// Writes `path` (the private key, mode 0600) and `path`.pub. Never replaces a file: an input error
/// names the one that is there, and nothing is written.
void write_key_pair(const fs::path& path, const KeyHandle& key);

/// The name of a public key in a bundle: SHA-256 of its PEM text.
std::string key_hint(const KeyHandle& key);

/// "P-256"
std::string curve_name(const KeyHandle& key);

bool same_public_key(const KeyHandle& a, const KeyHandle& b);

/// ECDSA in DER, with SHA-256, SHA-384 or SHA-512 as the curve has it.
std::string sign_bytes(const KeyHandle& key, std::string_view bytes);
bool signature_holds(const KeyHandle& key, std::string_view bytes, std::string_view signature);

}  // namespace alambic
