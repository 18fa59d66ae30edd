#pragma once

#include <sys/types.h>

#include <optional>

#include "alambic/base/error.h"
#include "alambic/base/files.h"

namespace alambic {

/// Place that a path names for writing, behind its links. Nothing is opened or changed.
struct OutputPlace {
  enum class Kind {
    file,        ///< a regular file, or none yet
    stream,      ///< a pipe or a character device (/dev/null, a terminal): takes bytes as they come
    descriptor,  ///< an open file of this process (/dev/stdout, /dev/fd/N)
  };
  Kind kind = Kind::file;
  fs::path path;               ///< of a file: with no link as its last part
  int descriptor = -1;         ///< number of an open file
  std::optional<mode_t> mode;  ///< permissions of a file that is there; nothing: there is none
};

/// Input errors that name the path: a folder, a block device (a disk is not overwritten), a socket,
/// a file that another process has open, a name that is too long. Environment errors: a place that
/// cannot be looked at.
OutputPlace output_place(const fs::path& path);

/// Refusal, before any work, of a path that could not be written at the end of it: what
/// output_place refuses; an input error where there is a file and `overwrite` is not set; an
/// environment error where the folder above is missing or may not be written. `option` is named
/// ("--out"). An empty path passes.
void check_output_file(const std::string& option, const fs::path& path, bool overwrite);

/// Error about a path that the system has not let us write: an input error for a name that is too
/// long, else an environment error.
Error write_error(const fs::path& path, int reason);

}  // namespace alambic
