#include <fmt/core.h>

#include "alambic/base/file_system.h"
#include "alambic/base/output_place.h"
#include "alambic/cli/commands/sign_options.h"
#include "alambic/cli/run.h"
#include "alambic/provenance/run_record.h"
#include "alambic/provenance/slsa.h"

namespace alambic {

int run(const SignOptions& options) {
  const fs::path folder = options.folder;
  const fs::path signature = options.out.empty() ? signature_of(folder) : fs::path(options.out);
  const BundleSigner signer =
      read_signer(options.key, {options.certificates.begin(), options.certificates.end()});
  check_output_file("--out", signature, options.overwrite);
  const auto record = read_record(folder);
  const SignedManifest manifest = sign_folder(folder, signer, signature);
  if (record) {
    write_slsa(folder, signer, manifest, *record);
  } else if (is_folder(folder)) {
    remove_file(folder / slsa_name);  // of an earlier signature
  }
  fmt::print("{}: {} files signed, root {}\n", signature.string(), manifest.resources.size(),
             manifest.root);
  return 0;
}

}  // namespace alambic
