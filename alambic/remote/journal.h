// Replies of servers on disk, so that none is asked or paid for twice: not by a step that is run
// again, a resumed run or one after a crash.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "alambic/base/files.h"
#include "alambic/remote/budget.h"

namespace alambic {

/// A file that only grows: for each reply a line of JSON with its key, what it cost, the digest of
/// its bytes and one of the line itself, then the bytes. What was torn is skipped, wherever it
/// stands; what was written before and after it counts. Every file of the folder with the ending
/// .journal is read, of other ranks too; one is written.
class Journal {
 public:
  /// Of a reply, beside its bytes.
  struct Facts {
    Usage usage;
    int64_t attempts = 1;
    double seconds = 0;
    std::string request_id = {};
  };
  struct Reply {
    std::string key, bytes;
    Facts facts;
  };

  /// `name`: of this process's file, without its ending.
  Journal(const fs::path& folder, const std::string& name);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  bool holds(const std::string& key) const { return places_.contains(key); }
  /// The reply's bytes; nothing where there is none, or where they are no longer what they were.
  std::optional<std::string> find(const std::string& key) const;
  /// All are on the disk when this returns, with one fdatasync: it takes as long as many replies
  /// take to be written. Errors are environment errors naming the file.
  void add(std::span<const Reply> replies);

  /// What all replies of the folder have cost.
  const Usage& usage() const { return usage_; }
  int64_t replies() const { return static_cast<int64_t>(places_.size()); }

 private:
  struct Place {
    size_t file = 0;
    uint64_t begin = 0, size = 0;
    std::string sha256;
  };
  uint64_t read(size_t file);

  std::vector<fs::path> files_;  // the first is written
  std::unordered_map<std::string, Place> places_;
  Usage usage_;
  int descriptor_ = -1;
  uint64_t end_ = 0;
};

}  // namespace alambic
