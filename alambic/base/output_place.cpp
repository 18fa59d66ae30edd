#include "alambic/base/output_place.h"

#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>

#include "alambic/base/file_system.h"

namespace alambic {
namespace {

constexpr int max_links = 40;  // as the kernel

fs::path folder_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

// A link of /proc leads to an open file, whatever its text says.
bool is_of_proc(const fs::path& link) {
  constexpr long proc_magic = 0x9fa0;
  struct statfs system {};
  return ::statfs(folder_of(link).c_str(), &system) == 0 && system.f_type == proc_magic;
}

// The number of an open file of this process that the link stands for.
int own_descriptor(const fs::path& link, const fs::path& named) {
  std::error_code error;
  const fs::path folder = fs::canonical(folder_of(link), error);
  const std::string name = link.filename();
  int number = -1;
  const auto [rest, failure] = std::from_chars(name.data(), name.data() + name.size(), number);
  const bool whole = failure == std::errc() && rest == name.data() + name.size();
  if (!error && whole && folder == fs::canonical("/proc/self/fd", error)) return number;
  throw input_error("cannot write {}: it is an open file of another process", named.string());
}

fs::path read_link(const fs::path& link) {
  std::error_code error;
  const fs::path to = fs::read_symlink(link, error);
  if (error) throw path_error("look up", link, error);
  return to.is_absolute() ? to : folder_of(link) / to;
}

OutputPlace place_of(const fs::path& path, const struct stat& status, const fs::path& named) {
  const auto refuse = [&](const char* what) {
    return input_error("cannot write {}: it is {}", named.string(), what);
  };
  switch (status.st_mode & S_IFMT) {
    case S_IFREG:
      return {.path = path, .mode = status.st_mode & 07777};
    case S_IFIFO:
    case S_IFCHR:
      return {.kind = OutputPlace::Kind::stream, .path = path};
    case S_IFDIR:
      throw refuse("a folder").with_hint("name a file in it");
    case S_IFBLK:
      throw refuse("a disk, and all that is on it would be lost");
    default:
      throw refuse("no file, pipe or character device");
  }
}

}  // namespace

Error write_error(const fs::path& path, int reason) {
  return path_error("write", path, std::error_code(reason, std::system_category()));
}

OutputPlace output_place(const fs::path& path) {
  fs::path target = path;
  for (int links = 0; links <= max_links; ++links) {
    struct stat status {};
    if (::lstat(target.c_str(), &status) != 0) {
      if (errno == ENOENT) return {.path = target};
      throw write_error(path, errno);
    }
    if (!S_ISLNK(status.st_mode)) return place_of(target, status, path);
    if (is_of_proc(target) && ::stat(target.c_str(), &status) == 0 && !S_ISDIR(status.st_mode)) {
      return {.kind = OutputPlace::Kind::descriptor,
              .path = target,
              .descriptor = own_descriptor(target, path)};
    }
    target = read_link(target);
  }
  throw write_error(path, ELOOP);
}

void check_output_file(const std::string& option, const fs::path& path, bool overwrite) {
  if (path.empty()) return;
  const OutputPlace place = output_place(path);
  if (place.kind != OutputPlace::Kind::file) return;
  if (place.mode && !overwrite) {
    throw input_error("{} {} exists already", option, path.string())
        .with_hint("--overwrite replaces it");
  }
  if (::access(folder_of(place.path).c_str(), W_OK) != 0) throw write_error(path, errno);
}

}  // namespace alambic
