#include "alambic/provenance/signature_bundle.h"
#include "alambic/provenance/signed_manifest.h"
#include "fuzz/fuzz.h"

namespace alambic {

std::vector<std::string> fuzz_seeds() {
  const SignedManifest manifest{.model = "m",
                                .ignored = {"model.sig"},
                                .resources = {{"a/b", std::string(64, '0')}},
                                .root = root_of({std::string(64, '0')})};
  const std::string statement = statement_text(manifest);
  SignedManifest parts = manifest;
  parts.shard_size = 7;
  parts.resources.front().name = "a:0:7";
  SignatureBundle bundle{.payload = statement, .signature = "DER", .hint = "hint"};
  std::vector<std::string> seeds = {statement, statement_text(parts), bundle_text(bundle)};
  bundle.certificates = {"certificate"};
  seeds.push_back(bundle_text(bundle));
  return seeds;
}

}  // namespace alambic

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace alambic;
  const std::string_view text = text_of(data, size);
  parse_or_refuse([&] { parse_statement(text, "f"); });
  parse_or_refuse([&] {
    const SignatureBundle bundle = parse_bundle(text, "f");
    parse_statement(bundle.payload, "f");
    for (const std::string& der : bundle.certificates) key_of_certificate(der);
  });
  return 0;
}
