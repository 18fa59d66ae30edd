#include "alambic/base/file_system.h"

#include <algorithm>

namespace alambic {
namespace {

fs::file_status status_of(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::status_known(status)) throw path_error("look up", path, error);
  return status;
}

}  // namespace

Error path_error(std::string_view what, const fs::path& path, const std::error_code& reason) {
  // The one reason that is the name's own, on any machine.
  const Exit exit = reason == std::errc::filename_too_long ? Exit::input : Exit::environment;
  return Error(exit, fmt::format("cannot {} {}: {}", what, path.string(), reason.message()));
}

Error path_error(const fs::filesystem_error& error) {
  const std::string other = error.path2().empty() ? "" : " and " + error.path2().string();
  return environment_error("cannot use {}{}: {}", error.path1().string(), other,
                           error.code().message());
}

bool path_exists(const fs::path& path) { return fs::exists(status_of(path)); }

bool is_file(const fs::path& path) { return fs::is_regular_file(status_of(path)); }

bool is_folder(const fs::path& path) { return fs::is_directory(status_of(path)); }

bool is_empty_folder(const fs::path& path) { return is_folder(path) && list_folder(path).empty(); }

uint64_t file_bytes(const fs::path& path) {
  std::error_code error;
  const uint64_t bytes = fs::file_size(path, error);
  if (error) throw path_error("read the size of", path, error);
  return bytes;
}

std::vector<fs::path> list_folder(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::path> entries;
  fs::directory_iterator entry(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    entries.push_back(entry->path());
  }
  if (error) throw path_error("list", folder, error);
  std::ranges::sort(entries);
  return entries;
}

fs::path full_path(const fs::path& path) {
  std::error_code error;
  fs::path full = fs::weakly_canonical(path, error);
  if (error) throw path_error("look up", path, error);
  return full;
}

void make_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) throw path_error("make the folder", folder, error);
}

void remove_file(const fs::path& path) {
  std::error_code error;
  fs::remove(path, error);
  if (error) throw path_error("remove", path, error);
}

void remove_path(const fs::path& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (error) throw path_error("remove", path, error);
}

void move_path(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::rename(from, to, error);
  if (error) throw path_error(fmt::format("move {} to", from.string()), to, error);
}

void set_file_bytes(const fs::path& path, uint64_t bytes) {
  std::error_code error;
  fs::resize_file(path, bytes, error);
  if (error) throw path_error("cut", path, error);
}

}  // namespace alambic
