#pragma once

#include <functional>
#include <optional>
#include <string>

#include "alambic/base/files.h"
#include "alambic/hub/hub.h"

namespace alambic {

struct Download {
  std::string url;
  fs::path to;
  std::optional<uint64_t> size;  ///< bytes, where the hub says it
  fs::path blobs = {};           ///< folder of files by their digests; "" for none
  std::string digest = {};       ///< what the hub lists; "" where it does not
};

/// Whether a text may name a blob: forty or sixty-four hexadecimal digits.
bool is_blob_name(std::string_view text);

/// Fetches a file of the hub: to `to` + ".part", from where an earlier try ended, and when its
/// digest is right to `to`; with `blobs` to the file of its digest there, to which `to` becomes a
/// link (where the file system has none, it is the file). A blob that is there is not fetched
/// again. `moved` is called with the bytes that are there so far.
void download(const Download& what, const HubSettings& settings,
              const std::function<void(uint64_t)>& moved);

/// Throws the error of a reply other than 2xx, or of none, with its exit code and hint. `what`:
/// "fetch org/name from URL".
[[noreturn]] void refuse_reply(const std::string& what, long status, const std::string& failure,
                               const HubSettings& settings);

/// Worth another try: the server was busy, or the transfer broke off.
bool is_passing(long status, const std::string& failure);

}  // namespace alambic
