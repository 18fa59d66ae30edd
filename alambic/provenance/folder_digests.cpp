#include "alambic/provenance/folder_digests.h"

#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <numeric>
#include <optional>
#include <string_view>
#include <thread>

#include "alambic/base/cpu_threads.h"
#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/base/sha256.h"
#include "alambic/base/utf8.h"

namespace alambic {
namespace {

bool lies_at_or_below(const std::string& name, const std::string& folder) {
  return folder == "." || name == folder ||
         (name.starts_with(folder) && name.size() > folder.size() && name[folder.size()] == '/');
}

class Lister {
 public:
  Lister(const fs::path& root, const std::vector<std::string>& ignored, bool follow_links,
         FolderListing& found)
      : root_(root), ignored_(ignored), follow_links_(follow_links), found_(found) {}

  void list(const std::string& folder) {
    for (const fs::path& entry : list_folder(root_ / folder)) {
      const std::string last = entry.filename().string();
      add(folder.empty() ? last : fmt::format("{}/{}", folder, last), entry);
    }
  }

 private:
  void add(const std::string& name, const fs::path& entry) {
    const auto below = [&](const std::string& one) { return lies_at_or_below(name, one); };
    std::error_code error;
    if (std::ranges::any_of(ignored_, below)) {
      found_.ignored.push_back(name);
      return;
    }
    const fs::file_type own = fs::symlink_status(entry, error).type();
    const bool link = own == fs::file_type::symlink;
    if (!is_valid_utf8(name)) {
      found_.others.push_back(replace_invalid_utf8(name));
    } else if (link && !(follow_links_ && fs::is_regular_file(entry, error))) {
      found_.links.push_back(name);
    } else if (link || own == fs::file_type::regular) {
      found_.files.push_back({name, file_bytes(entry)});
    } else if (own == fs::file_type::directory) {
      list(name);
    } else {
      found_.others.push_back(name);
    }
  }

  const fs::path& root_;
  const std::vector<std::string>& ignored_;
  const bool follow_links_;
  FolderListing& found_;
};

int digit_of(char c) {
  const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
  check(digit >= 0, "a digest with '{}'", c);
  return digit;
}

}  // namespace

bool path_comes_before(const std::string& a, const std::string& b) {
  // '/' before every other character is the order of the parts.
  const auto weight = [](char c) {
    return c == '/' ? 0 : 1 + static_cast<int>(static_cast<unsigned char>(c));
  };
  return std::ranges::lexicographical_compare(a, b, {}, weight, weight);
}

FolderListing list_files(const fs::path& folder, const std::vector<std::string>& ignored,
                         bool follow_links) {
  if (!is_folder(folder)) {
    throw input_error("{} is not a folder", folder.string())
        .with_hint("give the folder of a model or of a run");
  }
  FolderListing found;
  Lister(folder, ignored, follow_links, found).list("");
  std::ranges::sort(found.files, path_comes_before, &FolderFile::name);
  return found;
}

std::vector<std::string> digests_of(const fs::path& folder, const std::vector<FilePart>& parts,
                                    int threads) {
  std::vector<size_t> order(parts.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, std::greater<>(),
                           [&](size_t i) { return parts[i].end - parts[i].begin; });
  std::vector<std::string> digests(parts.size());
  std::atomic<size_t> next = 0;
  std::mutex mutex;
  std::exception_ptr failure;
  const auto work = [&] {
    for (size_t i = next++; i < order.size(); i = next++) {
      const FilePart& part = parts[order[i]];
      try {
        digests[order[i]] = sha256_range(folder / part.name, part.begin, part.end);
      } catch (...) {
        const std::lock_guard lock(mutex);
        failure = std::current_exception();
        next = order.size();
      }
    }
  };
  {
    const int wanted = threads > 0 ? threads : default_threads();
    const auto count = std::min<size_t>(static_cast<size_t>(wanted), parts.size());
    std::vector<std::jthread> others;
    for (size_t i = 1; i < count; ++i) others.emplace_back(work);
    work();
  }
  if (failure) std::rethrow_exception(failure);
  return digests;
}

std::vector<std::string> DigestMemo::digests_of(const fs::path& folder,
                                                const std::vector<FilePart>& parts) {
  std::vector<std::string> digests(parts.size());
  std::vector<FilePart> unread;
  std::vector<std::pair<size_t, std::optional<Identity>>> places;
  for (size_t i = 0; i < parts.size(); ++i) {
    struct stat facts {};
    std::optional<Identity> identity;
    if (::stat((folder / parts[i].name).c_str(), &facts) == 0 && parts[i].begin == 0 &&
        parts[i].end == static_cast<uint64_t>(facts.st_size)) {
      identity = Identity(facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtim.tv_sec,
                          facts.st_mtim.tv_nsec);
    }
    const auto known = identity ? known_.find(*identity) : known_.end();
    if (known != known_.end()) {
      digests[i] = known->second;
    } else {
      unread.push_back(parts[i]);
      places.emplace_back(i, identity);
    }
  }
  const std::vector<std::string> read = alambic::digests_of(folder, unread, threads_);
  for (size_t i = 0; i < read.size(); ++i) {
    digests[places[i].first] = read[i];
    if (places[i].second) known_[*places[i].second] = read[i];
  }
  return digests;
}

std::string root_of(const std::vector<std::string>& digests) {
  std::string bytes;
  for (const std::string& digest : digests) {
    check(digest.size() == 64, "a digest of {} characters", digest.size());
    for (size_t i = 0; i < digest.size(); i += 2) {
      bytes += static_cast<char>(digit_of(digest[i]) * 16 + digit_of(digest[i + 1]));
    }
  }
  return sha256(bytes);
}

}  // namespace alambic
