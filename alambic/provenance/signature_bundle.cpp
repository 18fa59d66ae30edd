#include "alambic/provenance/signature_bundle.h"

#include <nlohmann/json.hpp>

#include "alambic/base/base64.h"
#include "alambic/base/error.h"
#include "alambic/base/json_fields.h"
#include "alambic/base/json_object.h"
#include "alambic/base/printable.h"
#include "alambic/base/sha256.h"
#include "alambic/provenance/old_signatures.h"

namespace alambic {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* media_type = "application/vnd.dev.sigstore.bundle.v0.3+json";
constexpr const char* in_toto = "application/vnd.in-toto+json";

// Two texts for the same bytes would be two bundles for one signature.
std::string bytes_of(const JsonFields& fields, const std::string& key) {
  const std::string text = fields.text(key);
  std::string bytes;
  try {
    bytes = decode_base64(text);
  } catch (const Error&) {
    fields.wrong(key, "base64");
  }
  fields.expect(!bytes.empty() && encode_base64(bytes) == text, key,
                "base64 (of the usual alphabet, padded, without line breaks)");
  return bytes;
}

const Json& single_of(const JsonFields& fields, const std::string& key) {
  const Json& list = fields.value(key);
  fields.expect(list.is_array() && list.size() == 1 && list.front().is_object(), key,
                "a list of one signature");
  return list.front();
}

void parse_material(const JsonFields& material, SignatureBundle& bundle) {
  if (material.has("certificate")) {
    throw input_error(
        "cannot read {}: it is signed without a key of one's own (Sigstore's public "
        "service), which is not supported",
        material.where)
        .with_hint("`model_signing verify sigstore` checks it");
  }
  const bool has_key = material.has("publicKey"), has_chain = material.has("x509CertificateChain");
  material.expect(has_key != has_chain, has_key ? "x509CertificateChain" : "publicKey",
                  "either a public key's hint or a chain of certificates");
  if (has_key) {
    const JsonFields key = material.object("publicKey");
    // Until version 1.0 model-signing wrote the key itself, in PEM, of which a hint is the digest.
    bundle.hint = key.has("hint") || !key.has("rawBytes") ? key.text("hint")
                                                          : sha256(bytes_of(key, "rawBytes"));
    return;
  }
  const JsonFields chain = material.object("x509CertificateChain");
  const Json& list = chain.value("certificates");
  chain.expect(list.is_array() && !list.empty() && list.size() <= 100, "certificates",
               "a list of 1 to 100 certificates");
  for (const Json& one : list) {
    bundle.certificates.push_back(bytes_of({one, chain.where}, "rawBytes"));
  }
}

Error refused(const std::string& where, const std::string& reason, const std::string& hint) {
  return Error(Exit::refused, fmt::format("{} is not to be trusted: {}", where, reason), hint);
}

KeyHandle key_of(const SignatureBundle& bundle, const TrustedSigner& trusted,
                 const std::string& where) {
  if (trusted.key != nullptr) {
    const std::string expected = key_hint(trusted.key);
    if (!bundle.certificates.empty()) {
      throw refused(where, "it is signed with a certificate, and a key was given",
                    "--trust-root names the certificates that you trust");
    }
    if (bundle.hint != expected) {
      throw refused(where,
                    fmt::format("it is signed by another key ({}), not by yours ({})",
                                printable(bundle.hint.substr(0, 16)), expected.substr(0, 16)),
                    "ask the signer for the public key, by a way that you trust");
    }
    return trusted.key;
  }
  if (bundle.certificates.empty()) {
    throw refused(where, "it is signed by a key alone, without a certificate",
                  "--key names the public key that you trust");
  }
  return trusted_key(bundle.certificates, trusted.roots, trusted.when);
}

}  // namespace

BundleSigner read_signer(const fs::path& key, const std::vector<fs::path>& certificates) {
  BundleSigner signer{.key = read_private_key(key)};
  for (const fs::path& path : certificates) {
    for (std::string& der : read_certificates(path)) signer.certificates.push_back(std::move(der));
  }
  if (!signer.certificates.empty() &&
      !same_public_key(signer.key, key_of_certificate(signer.certificates.front()))) {
    throw input_error("the first certificate of {} is not that of the key {}",
                      certificates.front().string(), key.string())
        .with_hint("the key's own certificate comes first, then those that signed it");
  }
  return signer;
}

std::string signed_bytes(std::string_view payload_type, std::string_view payload) {
  return fmt::format("DSSEv1 {} {} {} {}", payload_type.size(), payload_type, payload.size(),
                     payload);
}

SignatureBundle sign_statement(const BundleSigner& signer, const std::string& statement) {
  SignatureBundle bundle{.payload = statement,
                         .signature = sign_bytes(signer.key, signed_bytes(in_toto, statement)),
                         .certificates = signer.certificates};
  if (signer.certificates.empty()) bundle.hint = key_hint(signer.key);
  return bundle;
}

std::string bundle_text(const SignatureBundle& bundle) {
  Json material = Json::object();
  if (bundle.certificates.empty()) {
    material["publicKey"] = {{"hint", bundle.hint}};
  } else {
    Json chain = Json::array();
    for (const std::string& der : bundle.certificates) {
      chain.push_back({{"rawBytes", encode_base64(der)}});
    }
    material["x509CertificateChain"] = {{"certificates", chain}};
  }
  material["tlogEntries"] = Json::array();
  const Json signature = {{"sig", encode_base64(bundle.signature)}, {"keyid", ""}};
  const Json envelope = {{"payload", encode_base64(bundle.payload)},
                         {"payloadType", in_toto},
                         {"signatures", Json::array({signature})}};
  return Json{{"mediaType", media_type},
              {"verificationMaterial", material},
              {"dsseEnvelope", envelope}}
             .dump() +
         "\n";
}

SignatureBundle parse_bundle(std::string_view text, const std::string& where) {
  const Json json = parse_json_object<Json>(text, where);
  const JsonFields fields{json, where};
  fields.expect(fields.text("mediaType") == media_type, "mediaType", media_type);
  fields.expect(!fields.has("messageSignature"), "messageSignature", "absent");
  const JsonFields envelope = fields.object("dsseEnvelope");
  envelope.expect(envelope.text("payloadType") == in_toto, "payloadType", in_toto);
  SignatureBundle bundle{.payload = bytes_of(envelope, "payload"),
                         .signature = bytes_of({single_of(envelope, "signatures"), where}, "sig")};
  parse_material(fields.object("verificationMaterial"), bundle);
  return bundle;
}

std::string check_signer(const SignatureBundle& bundle, const TrustedSigner& trusted,
                         const std::string& where) {
  const KeyHandle key = key_of(bundle, trusted, where);
  if (!signature_holds(key, signed_bytes(in_toto, bundle.payload), bundle.signature) &&
      !holds_by_version_0_2(key, in_toto, bundle.payload, bundle.signature)) {
    throw refused(where, "its signature does not hold: it was altered after it was signed",
                  "get the folder from its maker again");
  }
  if (trusted.key == nullptr) return subject_of_certificate(bundle.certificates.front());
  return fmt::format("{} key {}", curve_name(key), key_hint(key).substr(0, 16));
}

}  // namespace alambic
