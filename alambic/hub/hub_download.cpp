#include "alambic/hub/hub_download.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <thread>
#include <utility>

#include "alambic/base/file_system.h"
#include "alambic/base/output_place.h"
#include "alambic/base/printable.h"
#include "alambic/base/sha256.h"
#include "alambic/base/write_all.h"
#include "alambic/hub/http.h"

namespace alambic {

namespace {

constexpr int max_tries = 5;  // in a row that bring nothing

// The file that grows: bytes are appended, or it begins anew.
class Part {
 public:
  explicit Part(fs::path path) : path_(std::move(path)) {
    descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (descriptor_ < 0) fail();
    const off_t end = ::lseek(descriptor_, 0, SEEK_END);
    if (end < 0) fail();
    size_ = static_cast<uint64_t>(end);
  }
  ~Part() { ::close(descriptor_); }
  Part(const Part&) = delete;
  Part& operator=(const Part&) = delete;

  uint64_t size() const { return size_; }
  const fs::path& path() const { return path_; }

  void append(std::string_view piece) {
    if (const int reason = write_all(descriptor_, piece); reason != 0) {
      throw write_error(path_, reason);
    }
    size_ += piece.size();
  }
  void empty() {
    if (::ftruncate(descriptor_, 0) != 0 || ::lseek(descriptor_, 0, SEEK_SET) != 0) fail();
    size_ = 0;
  }
  void flush() {
    if (::fsync(descriptor_) != 0) fail();
  }

 private:
  [[noreturn]] void fail() const { throw write_error(path_, errno); }
  fs::path path_;
  int descriptor_ = -1;
  uint64_t size_ = 0;
};

// The digest that the hub gives a file: SHA-256 of a large one (in Git LFS), git's SHA-1 of others.
std::string digest_of(const HttpReply& reply) {
  std::string tag = reply.header("x-linked-etag");
  if (tag.empty()) tag = reply.header("etag");
  if (tag.starts_with("W/")) tag.erase(0, 2);
  if (tag.size() >= 2 && tag.front() == '"' && tag.back() == '"')
    tag = tag.substr(1, tag.size() - 2);
  return tag;
}

// An error about the file; nothing when its digest is `expected`.
std::optional<Error> digest_fault(const fs::path& file, const std::string& expected,
                                  const std::string& url) {
  if (!is_blob_name(expected)) {
    return environment_error("cannot check {}: the server's ETag should be a digest, found \"{}\"",
                             url, printable(expected))
        .with_hint("does HF_ENDPOINT point to a Hugging Face hub?");
  }
  const std::string found = expected.size() == 64 ? sha256_file(file) : git_blob_digest(file);
  if (found == expected) return {};
  return environment_error("{} has arrived with the digest {}, but the hub says {}", url, found,
                           expected)
      .with_hint("it has been deleted; try again");
}

// True when everything has come. Throws for replies that another try would not change.
bool try_once(const Download& what, const HubSettings& settings, Part& part, std::string& digest,
              std::string& failure, const std::function<void(uint64_t)>& moved) {
  const uint64_t from = part.size();
  bool first = true;
  const auto body = [&](long status, std::string_view piece) {
    if (std::exchange(first, false) && from > 0 && status != 206) part.empty();  // all of it comes
    if (what.size && piece.size() > *what.size - std::min(part.size(), *what.size)) {
      throw environment_error("{} is longer than the {} bytes that the hub says", what.url,
                              *what.size);
    }
    part.append(piece);
    moved(part.size());
  };
  const HttpReply reply = http_get({.url = what.url, .token = settings.token, .from = from}, body);
  failure = reply.failure;
  digest = digest_of(reply);
  const bool good = reply.status >= 200 && reply.status < 300;
  if (good && failure.empty()) return true;
  if (reply.status == 416 && from > 0) {  // nothing is left, or it is not the same file
    if (what.size && *what.size == from && is_blob_name(digest)) return true;
    part.empty();
    return false;
  }
  if (failure.empty()) failure = fmt::format("status {}", reply.status);
  if (!good && !is_passing(reply.status, reply.failure)) {
    refuse_reply("fetch " + what.url, reply.status, reply.failure, settings);
  }
  return false;
}

// Until everything is there; the digest that the hub says it should have.
std::string fill(const Download& what, const HubSettings& settings, Part& part,
                 const std::function<void(uint64_t)>& moved) {
  std::string digest, failure;
  uint64_t before = part.size();
  double wait = settings.wait;
  for (int tries = 1; !try_once(what, settings, part, digest, failure, moved); ++tries) {
    if (part.size() > before) {
      tries = 0;
      wait = settings.wait;
    }
    before = part.size();
    if (tries == max_tries) refuse_reply("fetch " + what.url, 0, failure, settings);
    std::this_thread::sleep_for(std::chrono::duration<double>(wait));
    wait *= 2;
  }
  part.flush();
  return digest;
}

// Puts a link in place at once, over one that leads nowhere. False where the system has no links.
bool link_to(const fs::path& blob, const fs::path& from) {
  const fs::path temporary = from.string() + fmt::format(".tmp-{}", ::getpid());
  std::error_code error;
  fs::create_symlink(blob.lexically_relative(from.parent_path()), temporary, error);
  if (error) return false;
  move_path(temporary, from);
  return true;
}

// From the whole part to where it belongs.
void put_in_place(const Download& what, const fs::path& part, const std::string& digest) {
  if (what.blobs.empty()) return move_path(part, what.to);
  make_folder(what.blobs);
  const fs::path blob = what.blobs / digest;
  move_path(part, blob);
  if (!link_to(blob, what.to)) move_path(blob, what.to);
}

}  // namespace

bool is_blob_name(std::string_view text) {
  return (text.size() == 40 || text.size() == 64) &&
         text.find_first_not_of("0123456789abcdef") == text.npos;
}

bool is_passing(long status, const std::string& failure) {
  return status == 429 || status >= 500 || !failure.empty();
}

void refuse_reply(const std::string& what, long status, const std::string& failure,
                  const HubSettings& settings) {
  if (status == 401 || status == 403) {
    throw input_error("cannot {}: the hub answers {}", what, status)
        .with_hint(settings.token.empty()
                       ? "no such model, or a private or gated one: set HF_TOKEN to a token of an "
                         "account that may read it, or log in by `hf auth login`"
                       : "may the account of HF_TOKEN, or of `hf auth login`, read this model? "
                         "gated ones are asked for on "
                         "the model's page");
  }
  if (status == 404) {
    throw input_error("cannot {}: the hub has no such model, revision or file", what)
        .with_hint("names are org/name or org/name@revision");
  }
  throw environment_error("cannot {}: {}", what,
                          failure.empty() ? fmt::format("the server answers {}", status) : failure)
      .with_hint(
          "check the network, the proxy settings and HF_ENDPOINT; what has come so far is "
          "kept");
}

void download(const Download& what, const HubSettings& settings,
              const std::function<void(uint64_t)>& moved) {
  if (!what.blobs.empty() && !what.digest.empty() && is_file(what.blobs / what.digest) &&
      link_to(what.blobs / what.digest, what.to)) {
    return;
  }
  Part part(what.to.string() + ".part");
  const bool resumed = part.size() > 0;
  std::string digest = fill(what, settings, part, moved);
  std::optional<Error> fault = digest_fault(part.path(), digest, what.url);
  if (fault && resumed) {  // the part of an earlier run may have been of another file
    part.empty();
    digest = fill(what, settings, part, moved);
    fault = digest_fault(part.path(), digest, what.url);
  }
  if (fault) {
    std::error_code ignored;
    fs::remove(part.path(), ignored);
    throw Error(*fault);
  }
  put_in_place(what, part.path(), digest);
}

}  // namespace alambic
