#include "alambic/provenance/certificates.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "alambic/base/error.h"
#include "alambic/base/printable.h"

namespace alambic {
namespace {

using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;

Certificate parse(const std::string& der) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(der.data());
  const auto* end = bytes + der.size();
  Certificate certificate(d2i_X509(nullptr, &bytes, static_cast<long>(der.size())), X509_free);
  ERR_clear_error();
  if (certificate == nullptr || bytes != end) throw input_error("this is no X.509 certificate");
  return certificate;
}

std::string der_of(X509* certificate) {
  const int size = i2d_X509(certificate, nullptr);
  check(size > 0, "a certificate cannot be written");
  std::string der(static_cast<size_t>(size), '\0');
  auto* bytes = reinterpret_cast<unsigned char*>(der.data());
  i2d_X509(certificate, &bytes);
  return der;
}

bool is_for_signing(X509* certificate) {
  const uint32_t flags = X509_get_extension_flags(certificate);
  const bool has_usage = (flags & EXFLAG_KUSAGE) != 0, has_extended = (flags & EXFLAG_XKUSAGE) != 0;
  if (has_usage && (X509_get_key_usage(certificate) & KU_DIGITAL_SIGNATURE) == 0) return false;
  const uint32_t extended = X509_get_extended_key_usage(certificate);
  if (has_extended && (extended & (XKU_CODE_SIGN | XKU_ANYEKU)) == 0) return false;
  return has_usage || has_extended;
}

Error refused(const std::string& message, const std::string& hint) {
  return Error(Exit::refused, message, hint);
}

}  // namespace

std::vector<std::string> read_certificates(const fs::path& path) {
  const std::string text = read_file(path, 1 << 24);
  const std::unique_ptr<BIO, decltype(&BIO_free)> reader(
      BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), BIO_free);
  std::vector<std::string> ders;
  while (X509* found = PEM_read_bio_X509(reader.get(), nullptr, nullptr, nullptr)) {
    ders.push_back(der_of(Certificate(found, X509_free).get()));
  }
  const unsigned long error = ERR_peek_last_error();
  ERR_clear_error();
  if (ERR_GET_REASON(error) != PEM_R_NO_START_LINE || ders.empty()) {
    throw input_error("{} holds {} in PEM", path.string(),
                      ders.empty() ? "no certificate" : "a broken certificate")
        .with_hint("certificates begin with -----BEGIN CERTIFICATE-----");
  }
  return ders;
}

KeyHandle key_of_certificate(const std::string& der) {
  const KeyHandle key(X509_get_pubkey(parse(der).get()), EVP_PKEY_free);
  ERR_clear_error();
  if (key == nullptr || !has_known_curve(key)) {
    throw input_error("the key of the certificate {} is not on the curve P-256, P-384 or P-521",
                      subject_of_certificate(der));
  }
  return key;
}

std::string subject_of_certificate(const std::string& der) {
  const Certificate certificate = parse(der);
  const std::unique_ptr<BIO, decltype(&BIO_free)> memory(BIO_new(BIO_s_mem()), BIO_free);
  X509_NAME_print_ex(memory.get(), X509_get_subject_name(certificate.get()), 0,
                     XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB);
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &bytes);
  return printable({bytes, static_cast<size_t>(size)});
}

KeyHandle trusted_key(const std::vector<std::string>& chain, const std::vector<std::string>& roots,
                      std::time_t when) {
  const std::unique_ptr<X509_STORE, decltype(&X509_STORE_free)> store(X509_STORE_new(),
                                                                      X509_STORE_free);
  for (const std::string& root : roots) X509_STORE_add_cert(store.get(), parse(root).get());
  X509_VERIFY_PARAM_set_time(X509_STORE_get0_param(store.get()), when);
  const auto free_all = [](STACK_OF(X509) * all) { sk_X509_pop_free(all, X509_free); };
  const std::unique_ptr<STACK_OF(X509), decltype(free_all)> others(sk_X509_new_null(), free_all);
  for (size_t i = 1; i < chain.size(); ++i) sk_X509_push(others.get(), parse(chain[i]).release());
  check(!chain.empty(), "a chain of no certificates");
  const Certificate own = parse(chain.front());
  const std::unique_ptr<X509_STORE_CTX, decltype(&X509_STORE_CTX_free)> context(
      X509_STORE_CTX_new(), X509_STORE_CTX_free);
  check(X509_STORE_CTX_init(context.get(), store.get(), own.get(), others.get()) == 1,
        "OpenSSL follows no chains");
  const std::string subject = subject_of_certificate(chain.front());
  if (X509_verify_cert(context.get()) != 1) {
    const int reason = X509_STORE_CTX_get_error(context.get());
    ERR_clear_error();
    const bool over = reason == X509_V_ERR_CERT_HAS_EXPIRED;
    throw refused(fmt::format("the certificate of {} is not trusted: {}", subject,
                              X509_verify_cert_error_string(reason)),
                  over ? "--valid-at DAY checks it as of an earlier day, if you know that it was "
                         "signed then"
                       : "--trust-root names the certificates that you trust");
  }
  if (!is_for_signing(own.get())) {
    throw refused(fmt::format("the certificate of {} is not for signing", subject),
                  "its key usage should have digitalSignature, its extended key usage codeSigning");
  }
  return key_of_certificate(chain.front());
}

}  // namespace alambic
