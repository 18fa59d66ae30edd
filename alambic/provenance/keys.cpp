#include "alambic/provenance/keys.h"

#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/base/output_place.h"
#include "alambic/base/sha256.h"
#include "alambic/base/write_all.h"

namespace alambic {
namespace {

struct CurveFacts {
  Curve curve;
  const char* group;  // OpenSSL's name
  const char* name;
  const EVP_MD* (*digest)();
};

constexpr std::array curves = {
    CurveFacts{Curve::p256, "prime256v1", "P-256", EVP_sha256},
    CurveFacts{Curve::p384, "secp384r1", "P-384", EVP_sha384},
    CurveFacts{Curve::p521, "secp521r1", "P-521", EVP_sha512},
};

const CurveFacts* facts_of(const KeyHandle& key) {
  std::array<char, 64> group{};
  size_t length = 0;
  if (EVP_PKEY_get_group_name(key.get(), group.data(), group.size(), &length) != 1) return nullptr;
  for (const CurveFacts& facts : curves) {
    if (std::string_view(group.data(), length) == facts.group) return &facts;
  }
  return nullptr;
}

const CurveFacts& known_facts_of(const KeyHandle& key) {
  const CurveFacts* facts = facts_of(key);
  check(facts != nullptr, "a key of another curve");
  return *facts;
}

using BioHandle = std::unique_ptr<BIO, decltype(&BIO_free)>;

BioHandle reader_of(const std::string& text) {
  return {BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), BIO_free};
}

// Without it OpenSSL would ask at the terminal.
int no_passphrase(char*, int, int, void*) { return -1; }

std::string read_pem(const fs::path& path) { return read_file(path, 1 << 20); }

KeyHandle checked(evp_pkey_st* found, const fs::path& path, const std::string& kind,
                  const std::string& hint) {
  ERR_clear_error();
  if (found == nullptr) {
    throw input_error("{} holds no {} key in PEM", path.string(), kind).with_hint(hint);
  }
  const KeyHandle key(found, EVP_PKEY_free);
  if (!has_known_curve(key)) {
    throw input_error("the key in {} is not on the curve P-256, P-384 or P-521", path.string())
        .with_hint("`alambic keygen` makes one");
  }
  return key;
}

template <class Write>
std::string pem_text(Write write) {
  const BioHandle memory(BIO_new(BIO_s_mem()), BIO_free);
  check(write(memory.get()) == 1, "a key cannot be written as PEM");
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &bytes);
  return {bytes, static_cast<size_t>(size)};
}

void write_new_file(const fs::path& path, std::string_view bytes, int mode) {
  const int descriptor =
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
  if (descriptor < 0) {
    if (errno != EEXIST) throw write_error(path, errno);
    throw input_error("{} is there already: a key is never replaced", path.string())
        .with_hint("choose another name, or remove it by hand");
  }
  int reason = write_all(descriptor, bytes);
  if (reason == 0 && ::fsync(descriptor) != 0) reason = errno;
  ::close(descriptor);
  if (reason == 0) return;
  ::unlink(path.c_str());
  throw write_error(path, reason);
}

using Context = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace

KeyHandle new_key(Curve curve) {
  for (const CurveFacts& facts : curves) {
    if (facts.curve != curve) continue;
    const KeyHandle key(EVP_EC_gen(facts.group), EVP_PKEY_free);
    check(key != nullptr, "OpenSSL makes no key on {}", facts.name);
    return key;
  }
  throw bug("a curve of no kind");
}

bool has_known_curve(const KeyHandle& key) { return facts_of(key) != nullptr; }

KeyHandle read_private_key(const fs::path& path) {
  const std::string text = read_pem(path);
  if (text.find("ENCRYPTED") != std::string::npos) {
    throw input_error("the key in {} needs a passphrase, which is not asked for", path.string())
        .with_hint("`openssl pkey -in KEY -out PLAIN` takes it off; keep PLAIN to yourself");
  }
  const bool is_public = text.find("-----BEGIN PUBLIC KEY") != std::string::npos;
  return checked(PEM_read_bio_PrivateKey(reader_of(text).get(), nullptr, no_passphrase, nullptr),
                 path, "private",
                 is_public ? "it is the public key; sign with the private one beside it"
                           : "`alambic keygen` makes a pair");
}

KeyHandle read_public_key(const fs::path& path) {
  const std::string text = read_pem(path);
  const bool is_private = text.find("PRIVATE KEY-----") != std::string::npos;
  return checked(PEM_read_bio_PUBKEY(reader_of(text).get(), nullptr, no_passphrase, nullptr), path,
                 "public",
                 is_private ? "it is a private key; verify with the public one (.pub) beside it"
                            : "`alambic keygen` makes a pair; a certificate goes to --trust-root");
}

std::string private_pem(const KeyHandle& key) {
  return pem_text([&](BIO* out) {
    return PEM_write_bio_PKCS8PrivateKey(out, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  });
}

std::string public_pem(const KeyHandle& key) {
  return pem_text([&](BIO* out) { return PEM_write_bio_PUBKEY(out, key.get()); });
}

void write_key_pair(const fs::path& path, const KeyHandle& key) {
  const fs::path other = path.string() + ".pub";
  if (path_exists(other)) {
    throw input_error("{} is there already: a key is never replaced", other.string())
        .with_hint("choose another name, or remove it by hand");
  }
  write_new_file(path, private_pem(key), 0600);
  write_new_file(other, public_pem(key), 0644);
}

std::string key_hint(const KeyHandle& key) { return sha256(public_pem(key)); }

std::string curve_name(const KeyHandle& key) { return known_facts_of(key).name; }

bool same_public_key(const KeyHandle& a, const KeyHandle& b) {
  return EVP_PKEY_eq(a.get(), b.get()) == 1;
}

std::string sign_bytes(const KeyHandle& key, std::string_view bytes) {
  const Context context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  const EVP_MD* digest = known_facts_of(key).digest();
  size_t size = 0;
  std::string signature;
  const bool began =
      EVP_DigestSignInit(context.get(), nullptr, digest, nullptr, key.get()) == 1 &&
      EVP_DigestSign(context.get(), nullptr, &size, bytes_of(bytes), bytes.size()) == 1;
  check(began, "OpenSSL does not sign");
  signature.resize(size);
  check(EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                       bytes_of(bytes), bytes.size()) == 1,
        "OpenSSL does not sign");
  signature.resize(size);
  return signature;
}

bool signature_holds(const KeyHandle& key, std::string_view bytes, std::string_view signature) {
  const Context context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  const EVP_MD* digest = known_facts_of(key).digest();
  const bool holds =
      EVP_DigestVerifyInit(context.get(), nullptr, digest, nullptr, key.get()) == 1 &&
      EVP_DigestVerify(context.get(), bytes_of(signature), signature.size(), bytes_of(bytes),
                       bytes.size()) == 1;
  ERR_clear_error();  // of a signature that is no DER
  return holds;
}

}  // namespace alambic
