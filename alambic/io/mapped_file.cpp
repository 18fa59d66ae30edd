#include "alambic/io/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

#include "alambic/base/error.h"

namespace alambic {

MappedFile MappedFile::open(const fs::path& path, Pages pages) {
  // Without O_NONBLOCK opening a named pipe would hang.
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (descriptor < 0) {
    throw input_error("cannot open {}: {}", path.string(), std::strerror(errno));
  }
  struct stat status {};
  const bool regular = ::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode);
  const auto size = regular ? static_cast<size_t>(status.st_size) : 0;
  const bool writable = pages == Pages::copy_on_write;
  // Without MAP_NORESERVE a file as large as the memory would be refused, read or not.
  const int protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
  const int flags = writable ? MAP_PRIVATE | MAP_NORESERVE : MAP_PRIVATE;
  void* address = size > 0 ? ::mmap(nullptr, size, protection, flags, descriptor, 0) : nullptr;
  const int reason = errno;
  ::close(descriptor);
  if (!regular) throw input_error("cannot open {}: it is not a regular file", path.string());
  if (address == MAP_FAILED) {
    throw environment_error("cannot map {} into memory: {}", path.string(), std::strerror(reason));
  }
  return MappedFile({static_cast<const std::byte*>(address), size});
}

MappedFile::MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  return *this;
}

void MappedFile::release(std::span<const std::byte> part) const {
  const auto first = reinterpret_cast<uintptr_t>(bytes_.data()),
             place = reinterpret_cast<uintptr_t>(part.data());
  if (place < first || place + part.size() > first + bytes_.size()) return;
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));  // bytes_ begin on one
  const size_t begin = (place - first + page - 1) / page * page;
  const size_t end = (place - first + part.size()) / page * page;
  if (begin >= end) return;
  ::madvise(const_cast<std::byte*>(bytes_.data()) + begin, end - begin, MADV_DONTNEED);
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

}  // namespace alambic
