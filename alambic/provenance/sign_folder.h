// Signing a folder and looking whether it is still what was signed.
#pragma once

#include <string>
#include <vector>

#include "alambic/provenance/folder_digests.h"
#include "alambic/provenance/signature_bundle.h"
#include "alambic/provenance/signed_manifest.h"

namespace alambic {

/// Names in a signed folder.
inline constexpr const char* signature_name = "model.sig";
/// A second signature, about how the folder was made (SLSA provenance).
inline constexpr const char* slsa_name = "provenance/slsa.sigstore.json";

/// Where the signature of a folder is (model.sig in it), or of a single file (FILE.sig beside it).
fs::path signature_of(const fs::path& folder);

/// Signs all of `folder` but Git's own files and signatures, or a single file, into `signature`
/// (empty: signature_of). Input errors: those of manifest_of.
SignedManifest sign_folder(const fs::path& folder, const BundleSigner& signer, fs::path signature);

/// What is wrong with a folder.
struct FolderFault {
  enum class Kind { altered, missing, added, renamed, link, other, chain, record, policy };
  Kind kind = Kind::altered;
  std::string where;  ///< the file, or file:line
  std::string what;   ///< in words
};

std::string kind_name(FolderFault::Kind kind);

struct CheckedFolder {
  std::string signer;  ///< in words
  SignedManifest manifest;
  std::vector<std::string> not_covered;  ///< of what is there
  std::vector<FolderFault> faults;  ///< in the order of the files; empty: it is what was signed
};

/// The folder or file against `signature` (empty: signature_of). Refused (exit 4): no
/// signature, one that `trusted` did not make. Input errors: a signature that cannot be read. Files
/// that `memo` knows are not read again (null: all are read).
CheckedFolder check_folder(const fs::path& folder, const TrustedSigner& trusted, fs::path signature,
                           DigestMemo* memo = nullptr);

}  // namespace alambic
